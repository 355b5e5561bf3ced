"""The methods of papers 3, 4 and 5 as recipes, to be measured against: trained, judged and compared, not shipped."""
