"""Messages of the API and what the core speaks: `read_…` validates and takes in, `write_…` gives out."""
