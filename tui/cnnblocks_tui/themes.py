"""Colours: three themes, and the scales that charts and heatmaps use under each of them.

Series colours are those of Okabe and Ito, which people with any of the usual colour blindnesses
tell apart; every series has a mark of its own besides.
"""

from textual.theme import Theme

SERIES = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#0072b2", "#999999")
SERIES_LIGHT = (
    "#0072b2",
    "#b35c00",
    "#00735a",
    "#a03c78",
    "#8a7a00",
    "#c43c00",
    "#3a8fc8",
    "#5c5c5c",
)
MARKS = "ABCDEFGH"

DARK = Theme(
    name="cnnblocks-dark",
    primary="#5aa9e6",
    secondary="#7b8fb3",
    accent="#f2b134",
    success="#5fbf8f",
    warning="#e8a33d",
    error="#ef6f6c",
    foreground="#d8dee9",
    background="#12151c",
    surface="#181c25",
    panel="#222836",
    dark=True,
    variables={
        "scrollbar-background": "#181c25",
        "scrollbar-background-hover": "#181c25",
        "scrollbar-background-active": "#181c25",
        "scrollbar-corner-color": "#181c25",
        "border": "#38445c",
        "border-blurred": "#2b3447",
        "footer-key-foreground": "#f2b134",
        "block-cursor-background": "#2f5d8c",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#253349",
        "block-cursor-blurred-text-style": "none",
        "input-selection-background": "#2f5d8c",
    },
)
LIGHT = Theme(
    name="cnnblocks-light",
    primary="#1f5f99",
    secondary="#5b6b86",
    accent="#9a5b00",
    success="#1f7a4d",
    warning="#9a5b00",
    error="#b3261e",
    foreground="#1d2433",
    background="#f7f8fa",
    surface="#eef0f4",
    panel="#e1e5ec",
    dark=False,
    variables={
        "scrollbar-background": "#eef0f4",
        "scrollbar-background-hover": "#eef0f4",
        "scrollbar-background-active": "#eef0f4",
        "scrollbar-corner-color": "#eef0f4",
        "border": "#9aa6ba",
        "border-blurred": "#c3cad6",
        "footer-key-foreground": "#9a5b00",
        "block-cursor-background": "#1f5f99",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#c9d8e8",
        "block-cursor-blurred-text-style": "none",
    },
)
COLOR_BLIND = Theme(
    name="cnnblocks-colour-blind",
    primary="#56b4e9",
    secondary="#999999",
    accent="#f0e442",
    success="#56b4e9",
    warning="#f0e442",
    error="#e69f00",
    foreground="#f0f0f0",
    background="#000000",
    surface="#0d0d0d",
    panel="#1f1f1f",
    dark=True,
    variables={
        "scrollbar-background": "#0d0d0d",
        "scrollbar-background-hover": "#0d0d0d",
        "scrollbar-background-active": "#0d0d0d",
        "scrollbar-corner-color": "#0d0d0d",
        "border": "#777777",
        "border-blurred": "#444444",
        "footer-key-foreground": "#f0e442",
        "block-cursor-background": "#0072b2",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#333333",
        "block-cursor-blurred-text-style": "none",
    },
)
THEMES = (DARK, LIGHT, COLOR_BLIND)


def series_color(index: int, dark: bool = True) -> str:
    """The colour of the n-th series; it repeats after eight."""
    colors = SERIES if dark else SERIES_LIGHT
    return colors[index % len(colors)]


def series_mark(index: int) -> str:
    """The letter that names the n-th series without colour."""
    return MARKS[index % len(MARKS)]
