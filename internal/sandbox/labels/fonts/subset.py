# Makes the fonts of this folder: only the letters of the languages, and no outlines,
# because only widths are measured. Needs Debian's fonts-roboto-unhinted, fonts-noto-core
# and python3-fonttools.
import sys
from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._g_l_y_f import Glyph

NOTO, ROBOTO = "/usr/share/fonts/truetype/noto/", "/usr/share/fonts/truetype/roboto/unhinted/RobotoTTF/"
COMMON = [*range(0x20, 0x7F), 0xA0, *range(0x2000, 0x2070)]
for source, letters in {
    ROBOTO + "Roboto-Medium.ttf": [*COMMON, *range(0xA1, 0x250), *range(0x300, 0x370), *range(0x400, 0x500), *range(0x1E00, 0x1F00), 0x20AB, 0x20AC, 0x2116, 0x2212],
    NOTO + "NotoSansArabic-Regular.ttf": [*COMMON, *range(0x600, 0x700), *range(0x750, 0x780), *range(0xFB50, 0xFE00), *range(0xFE70, 0xFF00)],
    NOTO + "NotoSansDevanagari-Regular.ttf": [*COMMON, *range(0x900, 0x980)],
    NOTO + "NotoSansBengali-Regular.ttf": [*COMMON, *range(0x964, 0x966), *range(0x980, 0xA00)],
}.items():
    font = TTFont(source)
    options = subset.Options(hinting=False, notdef_outline=False, name_IDs=[1, 2], layout_features=["*"])
    worker = subset.Subsetter(options)
    worker.populate(unicodes=letters)
    worker.subset(font)
    for name in font.getGlyphOrder():
        font["glyf"][name] = Glyph()
    for table in ("GDEF", "STAT", "fvar", "gvar", "HVAR", "MVAR", "avar", "DSIG", "kern") :
        if table in font and table != "GDEF":
            del font[table]
    font.save(sys.argv[1] + "/" + source.rsplit("/", 1)[1])
