//! `candidates`: avid lesions of a PET, with organs' own uptake set aside.

use std::path::Path;

use formats::nifti;
use imaging::{Mask, Volume};

use super::{BAD_INPUT, USAGE, failing, json, near, number};
use crate::files::{Folder, ball};

const LESION: [f64; 3] = [-9.0, -6.0, -4.0];
const BLADDER: [f64; 3] = [12.0, 9.0, 10.0];

/// A PET with a lesion of SUV 7, a bladder of SUV 15, and a liver of SUV 2 elsewhere.
fn pet(lesion: &Mask, bladder: &Mask) -> Volume<f32> {
    Volume::from_fn(lesion.grid().clone(), |at| match (*lesion.at(at), *bladder.at(at)) {
        (true, _) => 7.0,
        (_, true) => 15.0,
        _ => 2.0,
    })
}

#[test]
fn a_lesion_is_found_and_the_bladder_set_aside() {
    let folder = Folder::new();
    let (lesion, bladder) = (ball(LESION, 7.0), ball(BLADDER, 8.0));
    let organs = bladder.map(|set| u16::from(*set) * 4);
    let (pet_file, organs_file) = (folder.path("pet.nii.gz"), folder.path("organs.nii.gz"));
    let out = folder.path("candidates.nii.gz");
    nifti::write_image(Path::new(&pet_file), &pet(&lesion, &bladder)).unwrap();
    nifti::write_labels(Path::new(&organs_file), &organs).unwrap();
    let named = ["--organs", &organs_file, "--organ", "4=bladder"];
    let found = json(&[["candidates", &pet_file, "--out", &out, "--json"].as_slice(), &named].concat());
    let candidates = found["candidates"].as_array().unwrap();
    assert_eq!(candidates.len(), 2);
    assert_eq!(candidates[0]["set_aside"], "its hottest voxel lies in bladder");
    let volume_ml = lesion.n_voxels_set() as f64 * lesion.grid().voxel_volume_mm3() / 1000.0;
    near(&candidates[1]["mtv_ml"], volume_ml, 1e-3);
    near(&candidates[1]["tlg_suv_ml"], 7.0 * volume_ml, 1e-2);
    assert!(candidates[1].get("set_aside").is_none());
    let outlines = nifti::read_labels(Path::new(&out), lesion.grid().frame().clone()).unwrap();
    assert_eq!(outlines.values().iter().filter(|label| **label == 2).count(), lesion.n_voxels_set());
    assert!(found["notes"].as_array().unwrap().iter().all(|note| note["code"] != "physiologic_uptake_not_excluded"));
    let plain = json(&["candidates", &pet_file, "--json"]);
    assert!(plain["notes"].as_array().unwrap().iter().any(|note| note["code"] == "physiologic_uptake_not_excluded"));
}

#[test]
fn a_cut_off_from_the_liver_is_percists_and_needs_room_in_it() {
    let folder = Folder::new();
    let (lesion, bladder) = (ball(LESION, 7.0), ball(BLADDER, 8.0));
    let pet_file = folder.path("pet.nii.gz");
    nifti::write_image(Path::new(&pet_file), &pet(&lesion, &bladder)).unwrap();
    let liver = |name: &str, radius: f64| {
        let path = folder.path(name);
        nifti::write_mask(Path::new(&path), &ball([0.0; 3], radius)).unwrap();
        path
    };
    let (large, small) = (liver("large.nii.gz", 19.0), liver("small.nii.gz", 8.0));
    let healthy_file = folder.path("healthy.nii.gz");
    let healthy = Volume::from_fn(lesion.grid().clone(), |at| 1.8 + 0.4 * ((at.i + at.j + at.k) % 2) as f32);
    nifti::write_image(Path::new(&healthy_file), &healthy).unwrap();
    let found = json(&["candidates", &healthy_file, "--cut-off", "liver", "--liver", &large, "--json"]);
    near(&found["reference"]["mean_suv"], 2.0, 0.01);
    near(&found["reference"]["sd_suv"], 0.2, 0.01);
    let mean = number(&found["reference"]["mean_suv"]);
    near(&found["cut_off_suv"], 1.5 * mean + 2.0 * number(&found["reference"]["sd_suv"]), 1e-9);
    let (code, stdout, _) = failing(&["candidates", &pet_file, "--cut-off", "liver", "--liver", &small, "--json"]);
    assert_eq!(code, BAD_INPUT);
    assert!(stdout.contains("has no room"), "{stdout}");
    // A lesion that every sphere meets makes the liver no reference; without it there is no room.
    let with_lesion = ["candidates", &pet_file, "--cut-off", "liver", "--liver", &large, "--json"];
    let (code, stdout, _) = failing(&with_lesion);
    assert_eq!(code, BAD_INPUT);
    assert!(stdout.contains("does not look healthy") && stdout.contains("take the blood pool"), "{stdout}");
    let lesion_file = folder.path("lesion.nii.gz");
    nifti::write_mask(Path::new(&lesion_file), &lesion).unwrap();
    let (code, stdout, _) = failing(&[with_lesion.as_slice(), &["--lesions", &lesion_file]].concat());
    assert_eq!(code, BAD_INPUT);
    assert!(stdout.contains("has no room"), "{stdout}");
    let (code, _, stderr) = failing(&["candidates", &pet_file, "--lesions", &lesion_file]);
    assert_eq!(code, USAGE);
    assert!(stderr.contains("--lesions"), "{stderr}");
    let (code, _, stderr) = failing(&["candidates", &pet_file, "--cut-off", "liver"]);
    assert_eq!(code, USAGE);
    assert!(stderr.contains("--liver"), "{stderr}");
}

#[test]
fn an_outline_that_leaks_is_said_and_has_no_number() {
    let folder = Folder::new();
    let (lesion, pet_file) = (ball(LESION, 5.0), folder.path("pet.nii.gz"));
    let pet = lesion.map(|set| if *set { 5.0_f32 } else { 2.2 });
    nifti::write_image(Path::new(&pet_file), &pet).unwrap();
    let found = json(&["candidates", &pet_file, "--percent-of-max", "41", "--json"]);
    let candidate = &found["candidates"][0];
    for number in ["mtv_ml", "suv_mean", "tlg_suv_ml"] {
        let why = candidate[number]["not_evaluable"].as_str().unwrap();
        assert!(why.contains("it leaks"), "{number}: {why}");
    }
    assert!(found["notes"].as_array().unwrap().iter().any(|note| note["code"] == "outline_leaks"));
    let at_half = json(&["candidates", &pet_file, "--percent-of-max", "50", "--json"]);
    near(&at_half["candidates"][0]["mtv_ml"], lesion.n_voxels_set() as f64 / 1000.0, 1e-3);
}

#[test]
fn organ_masks_beside_the_pet_and_values_that_are_no_number_are_said() {
    let folder = Folder::new();
    let (lesion, bladder) = (ball(LESION, 7.0), ball(BLADDER, 8.0));
    let (pet_file, organs_file) = (folder.path("pet.nii.gz"), folder.path("organs.nii.gz"));
    let mut pet = pet(&lesion, &bladder);
    nifti::write_image(Path::new(&pet_file), &pet).unwrap();
    nifti::write_labels(Path::new(&organs_file), &bladder.map(|_| 0)).unwrap();
    let found = json(&["candidates", &pet_file, "--organs", &organs_file, "--json"]);
    assert!(found["notes"].as_array().unwrap().iter().any(|note| note["code"] == "physiologic_uptake_not_excluded"));
    for value in [f32::INFINITY, f32::NAN] {
        pet.values_mut()[1234] = value;
        nifti::write_image(Path::new(&pet_file), &pet).unwrap();
        let (code, stdout, _) = failing(&["candidates", &pet_file, "--json"]);
        assert_eq!(code, BAD_INPUT);
        assert!(stdout.contains("1 voxel") && stdout.contains("no number"), "{stdout}");
    }
}
