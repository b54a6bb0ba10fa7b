"""Other libraries at the same work, each a program of its own: objects of S3 into an Iceberg table.

    python -m benchmarks.peer.NAME BUCKET PREFIX FORMAT FOLDER

The `AWS_*` variables say where S3 is. The table goes below FOLDER, and is all that a program
leaves to be looked at. Each does the work in the way that its library's documentation shows first
and that turned out fastest; nothing here imports the product, so that the programs also run in a
virtual environment that has only the peers.
"""
