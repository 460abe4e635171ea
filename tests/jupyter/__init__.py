"""The tests of what people see in JupyterLab."""
