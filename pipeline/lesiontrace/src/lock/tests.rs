use super::*;

fn lay(folder: &Path, holder: &Holder) {
    std::fs::write(folder.join(NAME), serde_json::to_string(holder).unwrap()).unwrap();
}

fn silent_since(folder: &Path, ago: Duration) {
    let file = File::options().write(true).open(folder.join(NAME)).unwrap();
    file.set_modified(std::time::SystemTime::now() - ago).unwrap();
}

fn is_held(folder: &Path) -> bool {
    matches!(ask(folder).unwrap(), Asked::Held(_))
}

#[test]
fn one_holds_it_and_a_dead_ones_lock_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let Asked::Held(lock) = ask(folder.path()).unwrap() else { panic!("nobody holds it") };
    assert!(matches!(ask(folder.path()).unwrap(), Asked::Taken(Some(holder)) if holder == lock.me));
    assert!(lock.is_mine());
    drop(lock);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    let dead = Holder { start: "0".to_owned(), ..Holder::me() };
    lay(folder.path(), &dead);
    assert!(is_held(folder.path()), "its process is gone");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_worker_elsewhere_is_gone_after_an_hour_of_silence() {
    let folder = tempfile::tempdir().unwrap();
    for far in [
        Holder { host: "elsewhere".to_owned(), ..Holder::me() },
        Holder { space: "pid:[1]".to_owned(), start: "0".to_owned(), ..Holder::me() },
    ] {
        lay(folder.path(), &far);
        silent_since(folder.path(), SILENT / 2);
        let Asked::Taken(Some(holder)) = ask(folder.path()).unwrap() else { panic!("{far} is at work") };
        assert_eq!(named(Some(&holder)), far.to_string());
        silent_since(folder.path(), SILENT + Duration::from_mins(1));
        assert!(is_held(folder.path()));
    }
}

#[test]
fn a_damaged_lock_is_nobodys_after_a_while() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(NAME), "{").unwrap();
    assert!(matches!(ask(folder.path()).unwrap(), Asked::Taken(None)));
    silent_since(folder.path(), UNREADABLE + Duration::from_mins(1));
    assert!(is_held(folder.path()));
}

#[test]
fn a_lock_that_was_taken_over_is_left_to_its_new_holder() {
    let folder = tempfile::tempdir().unwrap();
    let Asked::Held(lock) = ask(folder.path()).unwrap() else { panic!("nobody holds it") };
    let other = Holder { host: "elsewhere".to_owned(), ..Holder::me() };
    std::fs::remove_file(folder.path().join(NAME)).unwrap();
    lay(folder.path(), &other);
    lock.sign();
    assert!(!lock.is_mine());
    drop(lock);
    let left: Holder = serde_json::from_slice(&std::fs::read(folder.path().join(NAME)).unwrap()).unwrap();
    assert_eq!(left, other);
}

#[test]
fn of_many_that_take_over_at_once_one_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..20 {
        lay(folder.path(), &Holder { start: "0".to_owned(), ..Holder::me() });
        let asked: Vec<Asked> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| ask(folder.path()).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(asked.iter().filter(|asked| matches!(asked, Asked::Held(_))).count(), 1);
        drop(asked);
        let _ = std::fs::remove_file(folder.path().join(NAME));
    }
}

#[test]
fn what_is_held_for_moments_is_taken_over_after_minutes() {
    let folder = tempfile::tempdir().unwrap();
    lay(folder.path(), &Holder { host: "elsewhere".to_owned(), ..Holder::me() });
    silent_since(folder.path(), BRIEFLY_SILENT + Duration::from_mins(1));
    assert!(matches!(ask(folder.path()).unwrap(), Asked::Taken(Some(_))));
    drop(wait(folder.path(), Duration::ZERO).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn waiting_ends_with_an_error_that_may_go_away() {
    let folder = tempfile::tempdir().unwrap();
    let held = wait(folder.path(), Duration::ZERO).unwrap();
    let error = wait(folder.path(), Duration::ZERO).unwrap_err();
    assert!(crate::exit::is_transient(&error) && error.to_string().contains("process "), "{error}");
    drop(held);
    assert!(wait(folder.path(), Duration::ZERO).is_ok());
}
