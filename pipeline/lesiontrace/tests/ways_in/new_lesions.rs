//! What an outline claims to be new is looked for again on the images.

use std::path::Path;

use formats::nifti;
use imaging::distance::distance_to;
use imaging::{FrameId, LabelMap, Mask};
use serde_json::Value;

use crate::calls::call;

const DONE: i32 = 0;
/// The visit at which the second lesion appears in the images.
const APPEARS: &str = "2018-01-20";
/// The next one.
const LATER: &str = "2018-03-17";

fn labels(folder: &Path, name: &str) -> LabelMap {
    nifti::read_labels(&folder.join(name), FrameId::new("any")).unwrap()
}

/// Two outlines go wrong: the new lesion is overlooked where it first shows, and nothing is outlined elsewhere in the liver.
fn spoil(masks: &Path) {
    let (mut lesions, zones) = (labels(masks, "lesions.nii.gz"), labels(masks, "ablation_zone.nii.gz"));
    let organ = labels(masks, "organ.nii.gz").map(|v| *v == 0);
    assert!(lesions.values().contains(&1), "the new lesion is outlined");
    let out_of_it = Mask::from_values(
        organ
            .values()
            .iter()
            .zip(zones.values())
            .zip(lesions.values())
            .map(|((o, z), l)| *o || *z != 0 || *l != 0)
            .collect(),
        lesions.grid().clone(),
    );
    let room = distance_to(&out_of_it.unwrap()).unwrap();
    let free: Vec<usize> = (0..room.values().len()).filter(|n| room.values()[*n] > 14.0).collect();
    let shape = lesions.shape();
    let center = lesions.grid().center(shape.index(free[free.len() / 3]));
    for n in 0..shape.n_voxels() {
        let is_nothing = lesions.grid().center(shape.index(n)).distance(center) < 6.0;
        lesions.values_mut()[n] = u16::from(is_nothing);
    }
    nifti::write_labels(&masks.join("lesions.nii.gz"), &lesions).unwrap();
}

/// The leading criterion's new-lesion answers by date, and why each lesion is in doubt.
fn run(dir: &Path, name: &str, from: &str, to: &str) -> (Vec<(String, String)>, String) {
    let study = include_str!("../../../../configs/study/default.toml");
    assert!(study.contains(from));
    let study = study.replace(from, to).replace("source = \"imported_or_model\"", "source = \"imported\"");
    std::fs::write(dir.join("study.toml"), study).unwrap();
    let [study, archive, out] = ["study.toml", "archive", name].map(|p| dir.join(p).display().to_string());
    let (code, said) = call(&["run", &study, "--archive", &archive, "--out", &out]);
    assert_eq!(code, DONE, "{said}");
    let text = std::fs::read_to_string(dir.join(name).join("patients/LT-001/result.json")).unwrap();
    let result: Value = serde_json::from_str(&text).unwrap();
    let rows = result["assessments"].as_array().unwrap().iter().filter(|row| row["criterion"] == "recist_1_1");
    let word = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let called =
        rows.map(|row| (word(row, "date"), word(row, "new_lesion"))).filter(|(_, new)| new == "Y" || new == "E");
    (called.collect(), text)
}

#[test]
fn what_the_images_do_not_bear_out_is_equivocal_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("archive").display().to_string();
    let calls = ["phantom", "--scenario", "distant_intrahepatic", "--patients", "1", "--seed", "5", "--out", &archive];
    assert_eq!(call(&calls).0, DONE);
    leave_out(dir.path(), &["2017-09-09", "2017-11-15"]);
    let looked = "second_look = true";
    // Compared with baseline the lesion is new at the later visit, too, though it was there before.
    spoil(&dir.path().join("archive/masks/LT-001").join(APPEARS));
    let (called, text) = run(dir.path(), "spoilt", looked, looked);
    assert_eq!(called, [(APPEARS.to_owned(), "E".to_owned()), (LATER.to_owned(), "Y".to_owned())]);
    assert!(text.contains("perhaps not new: nothing stands out in its outline"), "{text}");
    assert!(text.contains("new_before_it_was_outlined") && text.contains(&format!("on {APPEARS} already")), "{text}");

    let (called, _) = run(dir.path(), "trusting", looked, "second_look = false");
    assert_eq!(called[0], (APPEARS.to_owned(), "Y".to_owned()), "outlines alone call nothing new: {called:?}");

    // Where the visit at which it was overlooked is the first one, it is not new.
    leave_out(dir.path(), &["2017-06-30"]);
    let (called, text) = run(dir.path(), "late", looked, looked);
    assert_eq!(called, [(LATER.to_owned(), "E".to_owned())]);
    assert!(
        text.contains(&format!("perhaps not new: something stood out at its place on {APPEARS} already")),
        "{text}"
    );
}

fn leave_out(dir: &Path, visits: &[&str]) {
    for visit in visits {
        for folder in ["archive/LT-001", "archive/masks/LT-001"] {
            std::fs::remove_dir_all(dir.join(folder).join(visit)).unwrap();
        }
    }
}
