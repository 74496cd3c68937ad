"""The test kit tested: workflows with planted mistakes, and what it says of them."""
