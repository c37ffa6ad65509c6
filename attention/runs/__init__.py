"""A run's folder: its files, reading them as rows, columns and maps, and checking folders that come from anybody.

Reading needs NumPy alone. Knows neither models nor Gradio.
"""
