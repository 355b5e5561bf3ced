"""Raw DICOM in and out: `scan` reads headers, `group` builds series, `pixels` decodes on demand, `write` writes.

`Series.flags` says what was noticed:

| flag | meaning |
| --- | --- |
| `burned_in` | BurnedInAnnotation says that text stands in the pixels |
| `colour` | colour, turned into luminance |
| `derived` | ImageType says that it was computed from other images: a reformat, projection or secondary capture |
| `duplicates` | the same slice was there more than once; one was kept |
| `gap` | a step between slices is more than 1.5 times the median step |
| `localizer` | ImageType says that it is a localizer |
| `missing_pixels` | some files of the series had no complete pixels and were left out |
| `monochrome1` | stored with bright as low values; inverted while reading |
| `more_volumes` | a NIfTI file held more than one volume; the first was read |
| `no_geometry` | no valid position, orientation or spacing: slices go by instance number, then by file name |
| `not_parallel` | the series as sent had several orientations; this is one of its parts |
| `oblique` | more than 45 degrees away from every patient axis, so that its plane has no name |
| `repeated_positions` | several different slices lie at one position, and the header does not tell them apart |
| `single_slice` | one slice only |
| `split` | one part of a series that held several shapes, orientations, echoes, times or image types |
"""
