//! The name that was probably meant.

/// The candidate with the fewest slips (letters too many, missing or wrong), if there is one
/// with at most one slip in three letters; of equally near ones the first.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // No call's name is longer; a longer word is no slip, and must not cost time.
    if word.len() > 40 {
        return None;
    }
    let slips = |candidate: &str| {
        let mut row: Vec<usize> = (0..=candidate.len()).collect();
        for (i, a) in word.bytes().enumerate() {
            let mut diagonal = std::mem::replace(&mut row[0], i + 1);
            for (j, b) in candidate.bytes().enumerate() {
                let wrong = diagonal + usize::from(a != b);
                diagonal = row[j + 1];
                row[j + 1] = wrong.min(diagonal + 1).min(row[j] + 1);
            }
        }
        row[candidate.len()]
    };
    let near = candidates.into_iter().map(|candidate| (slips(candidate), candidate));
    let near = near.filter(|(slips, candidate)| *slips <= candidate.len().min(word.len()).div_ceil(3));
    near.min_by_key(|(slips, _)| *slips).map(|(_, candidate)| candidate)
}
