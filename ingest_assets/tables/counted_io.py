"""The warehouse's files, with the requests counted that reading and writing them takes.

PyIceberg makes an object of the class that the property `py-io-impl` names for each table that it
loads. A file that is written is one PUT; one that is opened or measured is one GET. Data files that
a scan reads go past it.
"""

from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

from ingest_assets.cost.meter import METER

CLASS_NAME = f"{__name__}.CountedFileIO"


class CountedFileIO(PyArrowFileIO):
    """PyArrow's file systems, counted."""

    def new_input(self, location: str) -> PyArrowFile:
        """A file to read; counted as a request."""
        METER.add(table_get_requests=1)
        return super().new_input(location)

    def new_output(self, location: str) -> PyArrowFile:
        """A file to write; counted as a request."""
        METER.add(table_put_requests=1)
        return super().new_output(location)
