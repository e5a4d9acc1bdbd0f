"""Reading MRI slices: files, geometry, grey values, windows."""
