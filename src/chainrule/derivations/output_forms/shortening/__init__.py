"""The shortest of many ways to write a form."""
