"""QR codes as SVG."""

from __future__ import annotations

import io

import segno


def qr_svg(address: str) -> str:
    """The QR code of an address, without a border, in the ink of our pages."""
    out = io.BytesIO()
    code = segno.make(address, error="m", micro=False)
    code.save(out, kind="svg", border=0, xmldecl=False, svgns=True, dark="#1c1b1a")
    return out.getvalue().decode()
