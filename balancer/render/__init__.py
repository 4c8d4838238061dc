"""What people see: values in, rich renderables out. Names in them are hostile until cleaned."""
