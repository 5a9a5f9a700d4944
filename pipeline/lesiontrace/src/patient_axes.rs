//! Directions in the patient in words.

/// Parts of a direction that count less than this are not named: 0.4 is about 24° off.
const NAMED_PART: f64 = 0.4;

/// The parts of a unit vector (LPS) that are named: axis and whether it points to larger coordinates.
fn named(direction: [f64; 3]) -> impl Iterator<Item = (usize, usize)> {
    let named = (0..3).filter(move |axis| direction[*axis].abs() >= NAMED_PART);
    named.map(move |axis| (axis, usize::from(direction[axis] >= 0.0)))
}

/// A unit vector (LPS) in the words of anatomy, always in one order: `left anterior cranial`.
pub(crate) fn anatomical(direction: [f64; 3]) -> String {
    const NAMES: [[&str; 2]; 3] = [["right", "left"], ["anterior", "posterior"], ["caudal", "cranial"]];
    let words: Vec<&str> = named(direction).map(|(axis, side)| NAMES[axis][side]).collect();
    words.join(" ")
}

/// A unit vector (LPS) in words, its largest part first: `towards the feet and the left`.
pub(crate) fn towards(direction: [f64; 3]) -> String {
    const NAMES: [[&str; 2]; 3] = [["the right", "the left"], ["the front", "the back"], ["the feet", "the head"]];
    let mut parts: Vec<(usize, usize)> = named(direction).collect();
    parts.sort_by(|a, b| direction[b.0].abs().total_cmp(&direction[a.0].abs()));
    let words: Vec<&str> = parts.into_iter().map(|(axis, side)| NAMES[axis][side]).collect();
    format!("towards {}", words.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::{anatomical, towards};

    #[test]
    fn directions_are_those_of_the_patient() {
        assert_eq!(towards([0.0, 0.0, -1.0]), "towards the feet");
        assert_eq!(towards([-0.6, 0.1, 0.79]), "towards the head and the right");
        assert_eq!(towards([0.577, 0.578, 0.576]), "towards the back and the left and the head");
        assert_eq!(anatomical([0.577, -0.578, 0.576]), "left anterior cranial");
        assert_eq!(anatomical([-0.6, 0.79, -0.1]), "right posterior");
        assert_eq!(anatomical([0.0, 0.0, -1.0]), "caudal");
    }
}
