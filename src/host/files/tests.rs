use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode() & 0o777)
}

#[test]
fn a_private_file_is_private_even_where_a_public_one_stood() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write(&path, b"public", Access::Public).unwrap();
    assert_eq!(mode(&path), 0o644);
    write(&path, b"private", Access::Private).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(fs::read(&path).unwrap(), b"private");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no temporary file stays"
    );
}

#[test]
fn a_link_stays_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let (target, link) = (folder.path().join("target"), folder.path().join("link"));
    write(&target, b"old", Access::Private).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    write(&link, b"new", Access::Private).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&target).unwrap(), b"new");
}

#[test]
fn the_access_of_a_file_can_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write(&path, b"new", Access::AsBefore).unwrap();
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    write(&path, b"newer", Access::AsBefore).unwrap();
    assert_eq!(mode(&path), 0o640);
}

#[test]
fn a_failed_write_leaves_the_old_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("file");
    assert!(write(&path, b"x", Access::Private).is_err());
    assert!(!path.exists());
}

#[test]
fn what_is_appended_to_a_new_file_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    for line in ["one\n", "two\n"] {
        let mut file = append_privately(&path).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
    assert_eq!(mode(&path), 0o600);
    assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
}

#[test]
fn reading_stops_one_byte_above_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write(&path, b"12345", Access::Private).unwrap();
    assert_eq!(read_capped(&path, 5).unwrap(), b"12345");
    assert_eq!(
        read_capped(&path, 4).unwrap_err().kind(),
        io::ErrorKind::FileTooLarge
    );
}

#[test]
fn a_new_folder_is_private_and_one_that_others_may_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("a").join("b");
    make_private_folder(&inner).unwrap();
    assert_eq!(mode(&inner), 0o700);
    for (mode_there, is_taken) in [(0o755, true), (0o775, false), (0o777, false)] {
        fs::set_permissions(&inner, fs::Permissions::from_mode(mode_there)).unwrap();
        assert_eq!(
            make_private_folder(&inner).is_ok(),
            is_taken,
            "{mode_there:o}"
        );
        assert_eq!(mode(&inner), mode_there, "it stays as it is");
    }
}

#[test]
fn the_mark_before_a_text_is_no_part_of_it_and_stays_in_what_is_read_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write(&path, b"\xef\xbb\xbftext", Access::Private).unwrap();
    assert_eq!(read_text_if_there(&path, 7).unwrap().unwrap(), "text");
    assert_eq!(
        read_if_there(&path, 7).unwrap().unwrap(),
        b"\xef\xbb\xbftext"
    );
}

#[test]
fn a_device_is_written_into_and_read_with_the_limit() {
    use std::os::unix::fs::FileTypeExt as _;
    write_named(Path::new("/dev/null"), b"x").unwrap();
    assert!(
        fs::metadata("/dev/null")
            .unwrap()
            .file_type()
            .is_char_device()
    );
    assert!(write_named(Path::new("/dev/full"), b"x").is_err());
    let refusal = read_capped(Path::new("/dev/zero"), 10).unwrap_err();
    assert_eq!(refusal.kind(), io::ErrorKind::FileTooLarge);
    let refusal = read_if_there(Path::new("/dev/zero"), 10).unwrap_err();
    assert_eq!(refusal.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn an_open_file_is_written_behind_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    write(&path, b"before\n", Access::Private).unwrap();
    let file = File::open(&path).unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&file);
    write_named(Path::new(&format!("/proc/self/fd/{number}")), b"behind\n").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"before\nbehind\n");
}

#[test]
fn a_link_is_pointed_elsewhere_and_what_is_no_link_stays() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    for target in ["/one", "/two", "/two"] {
        point_link(&link, Path::new(target)).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new(target));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let file = folder.path().join("file");
    write(&file, b"text", Access::Private).unwrap();
    assert!(point_link(&file, Path::new("/one")).is_err());
    assert_eq!(fs::read(&file).unwrap(), b"text");
}
