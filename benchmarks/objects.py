"""The objects under a prefix, as local files: for readers that have no S3 client of their own."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import obstore
from obstore.store import S3Store


def fetch(bucket: str, prefix: str, folder: str | Path) -> None:
    """The folder holds a file for each object, by its last name. `AWS_*` say where S3 is."""
    store = S3Store(bucket, client_options={"allow_http": True})

    def get(path: str) -> None:
        data = obstore.get(store, path).bytes()
        Path(folder, path.rsplit("/", 1)[-1]).write_bytes(data)

    paths = [item["path"] for page in obstore.list(store, prefix=prefix) for item in page]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(get, paths))
