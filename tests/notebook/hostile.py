"""Rows that would do something, if what shows them let them."""

from __future__ import annotations

HOSTILE = (
    "<script>window.ran = 'script'</script>",
    "<img src=x onerror=\"window.ran = 'img'\"><svg onload=\"window.ran = 'svg'\">",
    "<a href=\"javascript:window.ran='link'\">x</a> <iframe srcdoc=\"<script>parent.ran='frame'</script>\"></iframe>",
    "</style><style>body { display: none }</style></textarea><b>bold</b> &lt;i&gt; ' \" `",
    "![x](http://127.0.0.1:1/pixel.png) **bold** [l](javascript:window.ran='markdown') $\\href{javascript:1}{x}$",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J \x9b1m",
    "user\u202egnp.exe\u202c \u2066x\u2069 \u200e\u200f",
    "a\x00b\x01c\x7f\x08\r",
    "{phrase.__class__} {0} {{}} %s ${x} {{constructor.constructor('window.ran=1')()}}",
    "zero\u200bwidth\ufeff \u00a0 \u2028line \u115f \U000e0041 e\u0301 \u0301",
)
HALF = "half \ud83d of a sign \udc00"
"""Lone surrogates: no wire takes them as they are."""

NAME = "<img src=x onerror=\"window.ran = 'column'\">\u202e"
"""A column's name."""
