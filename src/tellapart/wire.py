"""Protobuf's wire format: a list of numbered fields, walked in place.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

MAX_FIELDS = 1_000_000
"""A classifier has thousands of protobuf fields; a file with more is made to waste time."""


class DamagedError(Exception):
    """The bytes are not a protobuf message, or not one that ONNX describes."""


class Message:
    """A protobuf message: a span of the file's bytes, read field by field."""

    def __init__(
        self, content: bytes, start: int = 0, end: int | None = None, left: list[int] | None = None
    ) -> None:
        self.content = content
        self.start = start
        self.end = len(content) if end is None else end
        self.left = [MAX_FIELDS] if left is None else left  # shared by all messages of the file

    def fields(self) -> Iterator[tuple[int, int | Message | None]]:
        """Yields each field's number and value.

        The value is an int for a varint, a message for anything with a length (text too), and
        None for numbers of fixed size.
        """
        position = self.start
        while position < self.end:
            self._count()
            tag, position = self._varint(position)
            number, wire_type = tag >> 3, tag & 7
            if number == 0 or tag >= 2**32:
                raise DamagedError(f"field number {number} at byte {position}")
            value: int | Message | None = None
            if wire_type == 0:
                value, position = self._varint(position)
            elif wire_type == 2:
                length, position = self._varint(position)
                if length > self.end - position:
                    raise DamagedError(f"cut short: a field at byte {position} ends outside")
                value = Message(self.content, position, position + length, self.left)
                position += length
            elif wire_type in (1, 5):
                position += 8 if wire_type == 1 else 4
                if position > self.end:
                    raise DamagedError(f"cut short at byte {self.end}")
            else:
                raise DamagedError(f"wire type {wire_type} at byte {position}")
            yield number, value

    def messages(self, number: int) -> list[Message]:
        """Returns all values of a repeated field."""
        return [as_message(value) for found, value in self.fields() if found == number]

    def once(self, *numbers: int) -> dict[int, int | Message | None]:
        """Returns the values of fields that may be there once.

        Protobuf would merge a second one into the first; no honest writer makes use of it.
        """
        found: dict[int, int | Message | None] = {}
        for number, value in self.fields():
            if number in numbers:
                if number in found:
                    raise DamagedError(f"field {number} is given twice")
                found[number] = value
        return found

    @staticmethod
    def text(value: int | Message | None) -> bytes:
        """Returns a text field's bytes; text that is left out is empty."""
        if value is None:
            return b""
        span = as_message(value)
        return span.content[span.start : span.end]

    def _varint(self, position: int) -> tuple[int, int]:
        """Decodes 7 bits a byte, the lowest first; returns the number and where it ends."""
        number = 0
        for index in range(10):
            if position >= self.end:
                raise DamagedError(f"cut short at byte {self.end}")
            byte = self.content[position]
            position += 1
            number |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                return number, position
        raise DamagedError(f"a number of more than 10 bytes at byte {position}")

    def _count(self) -> None:
        self.left[0] -= 1
        if self.left[0] < 0:
            raise DamagedError(f"more than {MAX_FIELDS:,} fields")


def as_message(value: int | Message | None) -> Message:
    """Returns a field's value where only a message can be."""
    if not isinstance(value, Message):
        raise DamagedError("a part of the graph is missing or of the wrong type")
    return value
