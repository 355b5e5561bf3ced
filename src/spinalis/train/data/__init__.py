"""One reader per data set; each gives pictures and the labels they carry."""
