"""One module per contender: how it is driven."""
