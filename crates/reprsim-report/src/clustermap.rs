//! Models against models, in the order of a tree that joins the most alike first, as SVG.

use maud::{Markup, html};

use crate::colours::ink;
use crate::drawing::{Drawing, beside, text_width};
use crate::heatmap::{FONT, GAP, Heat, Room, one};
use crate::report::Panel;

/// Room for the tree.
const TREE: f64 = 120.0;
/// Room below the cells for the scale of the tree, and for what the rings mean.
const BELOW: [f64; 2] = [20.0, 36.0];
/// The widest name of a model.
const NAME: f64 = 240.0;
/// Pairs whose q is larger are marked.
const LEVEL: f64 = 0.05;
/// Cells that are as large have a number.
const NUMBERED: f64 = 24.0;

/// One measure of models with each other.
#[derive(Clone, Debug, Default)]
pub struct ModelPanel {
    /// The values, whose rows and columns are the models in the same order.
    pub panel: Panel,
    /// The q-value of each cell, row-major.
    pub q: Vec<Option<f64>>,
    /// The joins of the tree: two models or, from their number on, two earlier joins, and how far they
    /// are from each other. Empty: no tree is drawn.
    pub merges: Vec<(usize, usize, f64)>,
    /// The models in the order of the tree's leaves. Empty: as they are.
    pub order: Vec<usize>,
}

/// Draws panels beside each other, two in a line.
pub fn clustermap(panels: &[ModelPanel]) -> String {
    let drawings: Vec<Drawing> = panels.iter().map(draw).collect();
    match beside("models", 2, &drawings) {
        Some(drawing) => drawing.file(),
        None => String::new(),
    }
}

fn draw(of: &ModelPanel) -> Drawing {
    let count = of.panel.rows.len();
    let order = of.order();
    let at = |row: usize, column: usize| order[row] * count + order[column];
    let places = || (0..count).flat_map(|row| (0..count).map(move |column| (row, column)));
    let value = |place: usize| of.panel.values.get(place).copied().flatten();
    let names: Vec<String> = order.iter().map(|i| of.panel.rows[*i].clone()).collect();
    let ordered = Panel {
        rows: names.clone(),
        columns: names,
        values: places()
            .map(|(row, column)| value(at(row, column)))
            .collect(),
        ..of.panel.clone()
    };
    // What a model has with itself is the same for all, and would leave no colours for the others.
    let others = places().filter(|(row, column)| row != column);
    let range = (of.panel.scale).colours(others.filter_map(|(row, column)| value(at(row, column))));
    let title = match of.panel.title.is_empty() {
        true => of.panel.measure.clone(),
        false => format!("{}: {}", of.panel.measure, of.panel.title),
    };
    let mut heat = Heat::of_layers(&ordered, title, range);
    let q: Vec<Option<f64>> = places()
        .map(|(row, column)| of.q.get(at(row, column)).copied().flatten())
        .collect();
    for ((_, text), q) in heat.cells.iter_mut().zip(&q) {
        if let Some(q) = q {
            *text += &format!(", q {q:.2e}");
        }
    }
    // Names of models often differ by their ends alone.
    for name in heat.rows.iter_mut().chain(&mut heat.columns) {
        *name = without_middle(name);
    }
    let tree = if of.merges.is_empty() { 0.0 } else { TREE };
    let below = match (q.iter().any(is_marked), tree > 0.0) {
        (true, _) => BELOW[1],
        (false, true) => BELOW[0],
        (false, false) => 0.0,
    };
    let room = Room::named(std::slice::from_ref(&heat), None, NAME).with(tree, below);
    let body = html! {
        (heat.body(&room))
        (marks(&heat, &q, &room))
        @if tree > 0.0 { (dendrogram(&of.merges, &order, &heat, &room)) }
    };
    Drawing {
        name: String::new(),
        class: String::new(),
        size: (room.width(), room.height()),
        label: format!("{} of models, {}", of.panel.scale.noun(), of.panel.measure),
        body,
    }
}

impl ModelPanel {
    /// The models in the order in which they are drawn.
    fn order(&self) -> Vec<usize> {
        let count = self.panel.rows.len();
        let mut sorted = self.order.clone();
        sorted.sort_unstable();
        match sorted.iter().copied().eq(0..count) {
            true => self.order.clone(),
            false => (0..count).collect(),
        }
    }
}

/// Whether a pair cannot be told from chance.
fn is_marked(q: &Option<f64>) -> bool {
    q.is_some_and(|q| q > LEVEL)
}

/// A name, of one that is too wide its beginning and its end.
fn without_middle(name: &str) -> String {
    if text_width(name, FONT) <= NAME {
        return name.into();
    }
    let letters: Vec<char> = name.chars().collect();
    let kept = (NAME / text_width("x", FONT)) as usize - 1;
    let (first, last) = (kept / 2, kept - kept / 2);
    let begin: String = letters[..first].iter().collect();
    let end: String = letters[letters.len() - last..].iter().collect();
    format!("{begin}…{end}")
}

/// A ring in each cell that cannot be told from chance, and what it means.
fn marks(heat: &Heat, q: &[Option<f64>], room: &Room) -> Markup {
    let ((left, top), (_, bottom), cell) = room.cells(heat);
    let count = heat.columns.len().max(1);
    let r = (cell / 8.0).clamp(1.5, 3.0);
    // Beside the number, or in the middle where there is none.
    let place = if cell < NUMBERED {
        cell / 2.0
    } else {
        cell - r - 2.5
    };
    let height = if cell < NUMBERED { cell / 2.0 } else { r + 2.5 };
    let stroke = |at: usize| {
        let colour = heat.cells.get(at).and_then(|(value, _)| *value);
        match colour.map(|value| ink(heat.colour(value))) {
            Some("on-dark") => "#ffffff",
            _ => "#111111",
        }
    };
    html! {
        @for (at, _) in q.iter().enumerate().filter(|(_, q)| is_marked(q)) {
            @let (x, y) = (left + cell * (at % count) as f64, top + cell * (at / count) as f64);
            circle cx=(one(x + place)) cy=(one(y + height)) r=(one(r)) fill="none" stroke=(stroke(at))
                stroke-width="1.1" {}
        }
        @if q.iter().any(is_marked) {
            circle cx=(one(left + 4.0)) cy=(one(bottom + 30.0)) r="3" class="bar-whisker" {}
            text class="small" x=(one(left + 12.0)) y=(one(bottom + 34.0)) {
                "not told from chance, q > 0.05"
            }
        }
    }
}

/// The tree, its root at the right.
fn dendrogram(merges: &[(usize, usize, f64)], order: &[usize], heat: &Heat, room: &Room) -> Markup {
    let ((_, top), (right, bottom), cell) = room.cells(heat);
    let start = right + GAP / 2.0;
    let length = TREE - GAP;
    let farthest = merges.iter().map(|(.., far)| *far).fold(0.0, f64::max);
    let x = |far: f64| {
        start
            + if farthest > 0.0 {
                far.max(0.0) / farthest * length
            } else {
                0.0
            }
    };
    let mut nodes: Vec<(f64, f64)> = vec![(start, top); order.len()];
    for (place, model) in order.iter().enumerate() {
        nodes[*model].1 = top + cell * (place as f64 + 0.5);
    }
    let mut paths = Vec::new();
    for (a, b, far) in merges {
        let (Some((xa, ya)), Some((xb, yb))) = (nodes.get(*a), nodes.get(*b)) else {
            break;
        };
        let at = x(*far);
        let [ends, places] = [[*xa, *xb], [*ya, *yb]].map(|pair| pair.map(one));
        paths.push((
            format!(
                "M{} {}H{}V{}H{}",
                ends[0],
                places[0],
                one(at),
                places[1],
                ends[1]
            ),
            format!("{far:.4}"),
        ));
        nodes.push((at, (ya + yb) / 2.0));
    }
    html! {
        @for (path, far) in &paths {
            path class="bar-whisker" d=(path) { title { (far) } }
        }
        line class="baseline" x1=(one(start)) x2=(one(start + length)) y1=(one(bottom + 5.0))
            y2=(one(bottom + 5.0)) {}
        text class="small" x=(one(start)) y=(one(bottom + 18.0)) { "0" }
        text class="small" x=(one(start + length)) y=(one(bottom + 18.0)) text-anchor="end" {
            (format!("{farthest:.2}"))
        }
        text class="small" x=(one(start + length / 2.0)) y=(one(bottom + 18.0)) text-anchor="middle" {
            "distance"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel() -> ModelPanel {
        let names: Vec<String> = ["a", "<b>", "c"].map(String::from).to_vec();
        ModelPanel {
            panel: Panel {
                measure: "cka".into(),
                rows: names.clone(),
                columns: names,
                values: [1.0, 0.1, 0.9, 0.1, 1.0, 0.2, 0.9, 0.2, 1.0]
                    .map(Some)
                    .to_vec(),
                ..Panel::default()
            },
            q: [
                None,
                Some(0.5),
                Some(0.01),
                Some(0.5),
                None,
                Some(0.5),
                Some(0.01),
                Some(0.5),
                None,
            ]
            .to_vec(),
            merges: vec![(0, 2, 0.1), (1, 3, 0.85)],
            order: vec![0, 2, 1],
        }
    }

    #[test]
    fn models_stand_in_the_order_of_the_tree() {
        let svg = clustermap(&[panel()]);
        let at = |text: &str| svg.find(text).unwrap_or(usize::MAX);
        assert!(at(">a</text>") < at(">c</text>"), "{svg}");
        assert!(at(">c</text>") < at(">&lt;b&gt;</text>"), "{svg}");
        assert!(svg.contains("a / c: 0.9000, q 1.00e-2"), "{svg}");
        // A tree of two joins, four cells that are not told from chance, and the sign's meaning.
        assert_eq!(svg.matches("<path").count(), 2);
        assert_eq!(svg.matches("<circle").count(), 5);
        assert!(svg.contains("not told from chance, q &gt; 0.05"));
    }

    #[test]
    fn long_names_keep_both_ends() {
        let name = "vit_base_patch16_224.augreg2_in21k_ft_in1k_and_more";
        let short = without_middle(name);
        assert!(
            short.starts_with("vit_base_patch1") && short.ends_with("_in1k_and_more"),
            "{short}"
        );
        assert!(text_width(&short, FONT) <= NAME && short.contains('…'));
        assert_eq!(without_middle("resnet18"), "resnet18");
    }

    #[test]
    fn what_does_not_fit_is_drawn_as_far_as_it_goes() {
        for (merges, order) in [
            (vec![], vec![]),
            (vec![(7, 9, 0.1)], vec![0, 0, 1]),
            (vec![(0, 1, f64::NAN), (3, 2, 0.0)], vec![5]),
        ] {
            let of = ModelPanel {
                merges,
                order,
                q: vec![],
                ..panel()
            };
            assert!(clustermap(&[of]).contains("<svg"));
        }
        let empty = ModelPanel::default();
        assert!(clustermap(&[empty]).contains("<svg"));
        assert_eq!(clustermap(&[]), "");
    }
}
