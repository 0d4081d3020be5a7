"""What pictures need of matplotlib, loaded when it is first used."""

from typing import TYPE_CHECKING

from eda_sim.later import Later

if TYPE_CHECKING:
    import matplotlib.pyplot as plt
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure, FigureBase
    from matplotlib.font_manager import FontProperties
    from matplotlib.gridspec import SubplotSpec
    from matplotlib.lines import Line2D
    from matplotlib.patches import Ellipse, FancyBboxPatch, Patch, PathPatch, Polygon, Rectangle
    from matplotlib.path import Path
    from matplotlib.textpath import text_to_path
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator
    from matplotlib.transforms import ScaledTranslation
else:
    plt = Later("matplotlib.pyplot")
    Artist = Later("matplotlib.artist", "Artist")
    Axes = Later("matplotlib.axes", "Axes")
    Axis = Later("matplotlib.axis", "Axis")
    Ellipse = Later("matplotlib.patches", "Ellipse")
    FancyBboxPatch = Later("matplotlib.patches", "FancyBboxPatch")
    Figure = Later("matplotlib.figure", "Figure")
    FigureBase = Later("matplotlib.figure", "FigureBase")
    FontProperties = Later("matplotlib.font_manager", "FontProperties")
    FuncFormatter = Later("matplotlib.ticker", "FuncFormatter")
    Line2D = Later("matplotlib.lines", "Line2D")
    MaxNLocator = Later("matplotlib.ticker", "MaxNLocator")
    MultipleLocator = Later("matplotlib.ticker", "MultipleLocator")
    Patch = Later("matplotlib.patches", "Patch")
    Path = Later("matplotlib.path", "Path")
    PathPatch = Later("matplotlib.patches", "PathPatch")
    Polygon = Later("matplotlib.patches", "Polygon")
    Rectangle = Later("matplotlib.patches", "Rectangle")
    ScaledTranslation = Later("matplotlib.transforms", "ScaledTranslation")
    SubplotSpec = Later("matplotlib.gridspec", "SubplotSpec")
    text_to_path = Later("matplotlib.textpath", "text_to_path")
