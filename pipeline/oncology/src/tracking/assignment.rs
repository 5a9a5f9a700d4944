//! Optimal one-to-one assignment.
//!
//! Source: Kuhn 1955 (Hungarian method) in the shortest-augmenting-path form of Jonker and Volgenant 1987.

/// Assigns rows to columns so that the sum of costs is smallest; each row and each column is used at most once.
///
/// `costs[row][column]` are finite; a pair that must not be made costs more than leaving both alone, which is what the
/// caller's dummy columns are for. There must be at least as many columns as rows. Returns the column of each row.
/// Ties go to the lower column, so the same costs give the same answer.
pub(crate) fn assign(costs: &[Vec<f64>]) -> Vec<usize> {
    let n_rows = costs.len();
    if n_rows == 0 {
        return Vec::new();
    }
    let n_columns = costs[0].len();
    assert!(n_columns >= n_rows, "the caller adds dummy columns until every row can be placed");
    // Potentials and matching are 1-based; column 0 stands for "the row being placed".
    let mut row_potential = vec![0.0; n_rows + 1];
    let mut column_potential = vec![0.0; n_columns + 1];
    let mut row_of_column = vec![0; n_columns + 1];
    for row in 1..=n_rows {
        row_of_column[0] = row;
        let previous = shortest_path(costs, &mut row_potential, &mut column_potential, &row_of_column);
        let mut column = previous.end;
        while column != 0 {
            let before = previous.column[column];
            row_of_column[column] = row_of_column[before];
            column = before;
        }
    }
    let mut columns = vec![0; n_rows];
    for (column, row) in row_of_column.iter().enumerate().skip(1) {
        if *row > 0 {
            columns[row - 1] = column - 1;
        }
    }
    columns
}

struct Path {
    column: Vec<usize>,
    end: usize,
}

/// Dijkstra over reduced costs from the row in column 0 to the nearest free column; updates the potentials.
fn shortest_path(
    costs: &[Vec<f64>],
    row_potential: &mut [f64],
    column_potential: &mut [f64],
    row_of: &[usize],
) -> Path {
    let n_columns = column_potential.len() - 1;
    let mut distance = vec![f64::INFINITY; n_columns + 1];
    let mut done = vec![false; n_columns + 1];
    let mut previous = vec![0; n_columns + 1];
    let mut at = 0;
    loop {
        done[at] = true;
        let row = row_of[at];
        let (mut step, mut next) = (f64::INFINITY, 0);
        for column in 1..=n_columns {
            if done[column] {
                continue;
            }
            let reduced = costs[row - 1][column - 1] - row_potential[row] - column_potential[column];
            if reduced < distance[column] {
                distance[column] = reduced;
                previous[column] = at;
            }
            if distance[column] < step {
                step = distance[column];
                next = column;
            }
        }
        for column in 0..=n_columns {
            if done[column] {
                row_potential[row_of[column]] += step;
                column_potential[column] -= step;
            } else {
                distance[column] -= step;
            }
        }
        at = next;
        if row_of[at] == 0 {
            return Path { column: previous, end: at };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn greedy_would_be_wrong() {
        // Row 0 prefers column 0, but row 1 can only afford column 0.
        assert_eq!(assign(&[vec![1.0, 2.0], vec![1.5, 9.0]]), vec![1, 0]);
    }

    fn total(costs: &[Vec<f64>], columns: &[usize]) -> f64 {
        columns.iter().enumerate().map(|(row, column)| costs[row][*column]).sum()
    }

    fn best_by_trying(costs: &[Vec<f64>], row: usize, used: &mut Vec<bool>) -> f64 {
        if row == costs.len() {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        for column in 0..used.len() {
            if !used[column] {
                used[column] = true;
                best = best.min(costs[row][column] + best_by_trying(costs, row + 1, used));
                used[column] = false;
            }
        }
        best
    }

    proptest! {
        #[test]
        fn no_other_assignment_is_cheaper(costs in prop::collection::vec(prop::collection::vec(0.0_f64..10.0, 5), 1..5)) {
            let columns = assign(&costs);
            let best = best_by_trying(&costs, 0, &mut vec![false; 5]);
            prop_assert!((total(&costs, &columns) - best).abs() < 1e-9);
        }
    }
}
