import lit.formats
config.name = "inner"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".test"]
