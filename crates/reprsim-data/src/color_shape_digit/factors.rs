//! The label factors of the built-in images and their classes.

/// One label factor of the built-in images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FactorKind {
    /// The outline: 8 shapes.
    Shape,
    /// The digit inside: 10 digits.
    Digit,
    /// The colour of both: 10 colours.
    Color,
    /// The pastel ground: 10 tints (presets `tinted` and `varied`).
    Background,
    /// The colour of the frame at the edge: 10 colours (presets `tinted` and `varied`).
    Border,
    /// Where the drawing sits: the 8 compass directions (preset `varied`).
    Position,
    /// How large the drawing is: 4 sizes (preset `varied`).
    Size,
}

impl FactorKind {
    /// All factors, in the order in which they are drawn.
    pub const ALL: [Self; 7] = [
        Self::Shape,
        Self::Digit,
        Self::Color,
        Self::Background,
        Self::Border,
        Self::Position,
        Self::Size,
    ];

    /// The factor's name in experiment files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shape => "shape",
            Self::Digit => "digit",
            Self::Color => "color",
            Self::Background => "background",
            Self::Border => "border",
            Self::Position => "position",
            Self::Size => "size",
        }
    }

    /// Names of the factor's classes.
    pub fn classes(self) -> &'static [&'static str] {
        match self {
            Self::Shape => &[
                "circle",
                "kite",
                "parallelogram",
                "rectangle",
                "rhombus",
                "square",
                "trapezoid",
                "triangle",
            ],
            Self::Digit => &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
            Self::Color | Self::Border => &COLOR_NAMES,
            Self::Background => &[
                "white", "rose", "peach", "lemon", "mint", "sky", "lilac", "sand", "silver", "aqua",
            ],
            Self::Position => &["n", "ne", "e", "se", "s", "sw", "w", "nw"],
            Self::Size => &["small", "medium", "large", "huge"],
        }
    }

    /// Whether the factor varies in the paper's own images.
    pub fn in_paper(self) -> bool {
        matches!(self, Self::Shape | Self::Digit | Self::Color)
    }
}

const COLOR_NAMES: [&str; 10] = [
    "blue", "brown", "cyan", "green", "magenta", "orange", "pink", "purple", "red", "yellow",
];

/// Ink colours, in the order of the classes of [`FactorKind::Color`].
pub(super) const INK: [[u8; 3]; 10] = [
    [25, 50, 245],
    [125, 70, 20],
    [0, 190, 215],
    [0, 160, 20],
    [230, 0, 220],
    [255, 135, 0],
    [255, 140, 175],
    [105, 0, 145],
    [220, 0, 0],
    [235, 205, 0],
];

/// Ground colours, in the order of the classes of [`FactorKind::Background`].
pub(super) const GROUND: [[u8; 3]; 10] = [
    [255, 255, 255],
    [255, 214, 222],
    [255, 226, 196],
    [252, 250, 190],
    [206, 244, 206],
    [200, 222, 255],
    [230, 208, 250],
    [226, 214, 190],
    [214, 214, 214],
    [190, 246, 244],
];

/// Names of all factors, in order.
pub fn factor_names() -> Vec<&'static str> {
    FactorKind::ALL.iter().map(|f| f.name()).collect()
}
