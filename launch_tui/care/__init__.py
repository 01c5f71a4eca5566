"""Looking after the data directory: checking and mending it, copying it whole, making room in it.

Below the use cases, which offer it to people, and above what it looks at: the store, the working
copies, the environments, the images and the handles of what runs.
"""
