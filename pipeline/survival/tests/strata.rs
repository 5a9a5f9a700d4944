//! Strata and clusters on the Mayo Clinic trial against R survival 3.5.3, `coxph` with `eps = 1e-14`, `cox.zph` with
//! `terms = FALSE`, `survdiff`; to 1e-8 relative.
//!
//! Reads `survival/pbc.csv` below the folder named by `LESIONTRACE_DATA`.
#![expect(clippy::unwrap_used, reason = "a test may stop at a missing value; its helpers are not marked as tests")]

use lesiontrace_survival::{
    CoxSubject, Group, Ties, TimeToEvent, Weighting, cox, log_rank_tests, proportional_hazards,
};

fn rows() -> Option<Vec<csv::StringRecord>> {
    let folder = testkit::real_data("survival")?;
    let mut table = csv::Reader::from_path(folder.join("pbc.csv")).unwrap();
    Some(table.records().map(Result::unwrap).filter(|row| row[3].parse::<f64>().is_ok()).collect())
}

#[track_caller]
fn assert_near(got: f64, expected: f64, what: &str) {
    assert!((got / expected - 1.0).abs() <= 1e-8, "{what}: {got} against {expected}");
}

/// Age and bilirubin, with the strata and clusters that two functions of a row name.
fn subjects(
    rows: &[csv::StringRecord],
    stratum: impl Fn(&csv::StringRecord) -> Option<usize>,
    cluster: impl Fn(&csv::StringRecord) -> Option<usize>,
) -> Vec<CoxSubject> {
    let subject = |row: &csv::StringRecord| CoxSubject {
        time: row[1].parse().unwrap(),
        event: &row[2] == "2",
        covariates: vec![row[4].parse().unwrap(), row[10].parse().unwrap()],
        cluster: cluster(row),
        stratum: stratum(row),
    };
    rows.iter().map(subject).collect()
}

fn whole(row: &csv::StringRecord, column: usize) -> usize {
    row[column].parse().unwrap()
}

/// `cluster(stage * 10 + trt + 5 * (sex == "f"))`: 16 groups across the arms and stages.
fn mixed_cluster(row: &csv::StringRecord) -> usize {
    whole(row, 19) * 10 + whole(row, 3) + if &row[5] == "f" { 5 } else { 0 }
}

#[test]
fn a_baseline_hazard_for_each_stage() {
    let Some(rows) = rows() else { return };
    let subjects = subjects(&rows, |row| Some(whole(row, 19)), |_| None);
    let expected = [
        (
            Ties::Efron,
            [0.030_695_990_722_808_14, 0.158_296_342_126_746_6],
            [0.008_950_956_135_970_413, 0.015_521_601_442_678_855],
            [-494.696_275_522_269_6, -451.025_517_440_013_9],
            [152.299_213_300_740_1, 112.805_288_705_989_5],
            [1.117_429_982_888_682, 6.733_287_344_221_583, 7.804_205_657_618_132],
        ),
        (
            Ties::Breslow,
            [0.030_742_793_786_659_52, 0.158_084_869_062_248_3],
            [0.008_952_445_546_292_511, 0.015_516_114_943_432_61],
            [-494.723_732_742_664_4, -451.129_703_298_052_1],
            [151.817_881_248_422_5, 112.579_370_569_222_2],
            [1.117_833_427_411_608, 6.701_180_359_128_583, 7.772_960_878_422_775],
        ),
    ];
    for (ties, coef, se, loglik, [score, wald], zph) in expected {
        let (found, hazards) = proportional_hazards(&["age", "bili"], &subjects, ties).unwrap();
        for term in 0..2 {
            assert_near(found.coef[term], coef[term], "coef");
            assert_near(found.se[term], se[term], "se");
            assert_near(found.loglik[term], loglik[term], "loglik");
        }
        assert_near(found.score.chisq, score, "score");
        assert_near(found.wald.chisq, wald, "wald");
        for (got, expected) in hazards.zph_chisq.iter().zip(zph) {
            assert_near(*got, expected, "zph");
        }
    }
}

#[test]
fn robust_errors_with_and_without_strata() {
    let Some(rows) = rows() else { return };
    let pooled = subjects(&rows, |_| None, |row| Some(mixed_cluster(row)));
    let by_arm = subjects(&rows, |row| Some(whole(row, 3)), |row| Some(mixed_cluster(row)));
    let expected = [
        (
            Ties::Efron,
            [0.006_917_948_100_982_587, 0.010_099_537_163_908_632],
            [0.008_964_448_690_433_715, 0.012_855_179_322_408_025],
            429.763_348_088_035_6,
            [0.007_828_014_937_088_887, 0.011_751_867_537_786_329],
        ),
        (
            Ties::Breslow,
            [0.006_909_393_850_125_325, 0.010_098_563_994_222_159],
            [0.008_965_025_232_608_344, 0.012_856_009_624_442_678],
            429.509_566_085_883,
            [0.007_803_811_946_503_411, 0.011_738_226_435_301_771],
        ),
    ];
    for (ties, robust, naive, wald, robust_by_arm) in expected {
        let found = cox(&["age", "bili"], &pooled, ties).unwrap();
        let stratified = cox(&["age", "bili"], &by_arm, ties).unwrap();
        let independent = found.se_independent.as_ref().unwrap();
        for term in 0..2 {
            assert_near(found.se[term], robust[term], "robust se");
            assert_near(independent[term], naive[term], "se under independence");
            assert_near(stratified.se[term], robust_by_arm[term], "robust se with strata");
        }
        assert_near(found.wald.chisq, wald, "robust wald");
    }
}

/// The members of each group of a column inside each stratum of another.
fn members(
    rows: &[csv::StringRecord],
    stratum: (usize, &[&str]),
    group: (usize, &[&str]),
) -> Vec<Vec<Vec<TimeToEvent>>> {
    let seen = |row: &csv::StringRecord| TimeToEvent { time: row[1].parse().unwrap(), event: &row[2] == "2" };
    let of = |in_stratum: &str, in_group: &str| {
        rows.iter().filter(|row| &row[stratum.0] == in_stratum && &row[group.0] == in_group).map(seen).collect()
    };
    stratum.1.iter().map(|in_stratum| group.1.iter().map(|in_group| of(in_stratum, in_group)).collect()).collect()
}

fn as_groups(members: &[Vec<TimeToEvent>]) -> Vec<Group<'_>> {
    members.iter().map(|observations| Group { label: "group", observations }).collect()
}

#[test]
fn log_rank_inside_strata() {
    let Some(rows) = rows() else { return };
    let stages = ["1", "2", "3", "4"];
    let arms_by_stage = members(&rows, (19, &stages), (3, &["1", "2"]));
    let strata: Vec<_> = arms_by_stage.iter().map(|stratum| as_groups(stratum)).collect();
    let strata: Vec<_> = strata.iter().map(Vec::as_slice).collect();
    let [log_rank, peto] = log_rank_tests(&strata, [Weighting::LogRank, Weighting::PetoPeto]).unwrap();
    let log_rank = log_rank.unwrap();
    assert_near(log_rank.chisq, 0.343_357_123_915_291, "two arms");
    assert_near(log_rank.expected[0], 61.766_596_460_260_13, "expected");
    assert_near(log_rank.observed[1], 60.0, "observed");
    assert_near(peto.unwrap().chisq, 0.075_974_874_418_609_74, "peto");
    let stages_by_sex = members(&rows, (5, &["f", "m"]), (19, &stages));
    let strata: Vec<_> = stages_by_sex.iter().map(|stratum| as_groups(stratum)).collect();
    let strata: Vec<_> = strata.iter().map(Vec::as_slice).collect();
    let [log_rank] = log_rank_tests(&strata, [Weighting::LogRank]).unwrap();
    assert_near(log_rank.unwrap().chisq, 52.294_155_263_308_13, "four stages");
}
