//! Headers that look like a column the program reads, but are none: nothing is read of it, and a death may be lost.

use super::Problem;

/// Letters that may be wrong, missing, too many or swapped in a name.
const WRONG_LETTERS: usize = 2;
/// Names shorter than this have too many others within two letters.
const SHORTEST: usize = 5;
/// Words that a name is still the same without.
const FILLERS: [&str; 3] = ["of", "the", "mm"];

/// One fault for each header that may stand for an optional column which the table lacks. It belongs to no patient.
pub(super) fn misspelt(file: &str, headers: &[String], optional: &[&str], required: &[&str]) -> Vec<Problem> {
    let is_read = |header: &str| optional.contains(&header) || required.contains(&header);
    let absent: Vec<&str> =
        optional.iter().copied().filter(|name| !headers.iter().any(|header| header == name)).collect();
    let mut faults = Vec::new();
    for header in headers.iter().filter(|header| !is_read(header)) {
        if let Some(name) = absent.iter().find(|name| is_like(header, name)) {
            faults.push(Problem {
                file: file.to_owned(),
                line: 1,
                column: header.clone(),
                patient_id: None,
                message: format!(
                    "it is not read as {name:?}, which the table lacks; if that is meant, correct the header"
                ),
            });
        }
    }
    faults
}

/// Whether a header is a name with few wrong letters, or has its words in another order or form.
fn is_like(header: &str, name: &str) -> bool {
    let (header, name) = (words(header), words(name));
    let joined = (header.concat(), name.concat());
    let is_near = joined.1.len() >= SHORTEST && strsim::damerau_levenshtein(&joined.0, &joined.1) <= WRONG_LETTERS;
    let sorted = |mut words: Vec<String>| {
        words.sort();
        words
    };
    is_near || sorted(header) == sorted(name)
}

fn words(name: &str) -> Vec<String> {
    let parts = name.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    parts.filter(|word| !word.is_empty() && !FILLERS.contains(&word.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(headers: &[&str]) -> Vec<String> {
        let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
        let optional = ["diagnosis", "death_date", "last_contact_date", "death_cause"];
        misspelt("patients.csv", &headers, &optional, &["patient_id"]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_header_that_is_nearly_a_column_is_told_and_a_covariate_is_not() {
        let said = told(&["patient_id", "age", "deathdate", "last_contact", "diagnsosis"]);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains("column deathdate: it is not read as \"death_date\""), "{}", said[0]);
        assert!(said[1].contains("column diagnsosis") && said[1].contains("\"diagnosis\""), "{}", said[1]);
        for header in ["date of death", "death-date", "Death_Date ", "dead_date"] {
            assert_eq!(told(&["patient_id", header]).len(), 1, "{header}");
        }
        assert!(told(&["patient_id", "sex", "age", "child_pugh", "birth_date", "bclc"]).is_empty());
        assert!(told(&["patient_id", "death_date", "death_data"]).is_empty(), "the column itself is there");
    }
}
