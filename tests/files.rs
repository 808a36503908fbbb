//! State as a file: what is in it, that other tools read it, and that no damage goes unseen.
#![cfg(feature = "safetensors")]

#[path = "fuzz/memory.rs"]
mod memory;

use std::path::PathBuf;
use std::{fs, io};

use safetensors::{Dtype, SafeTensors};
use wane::state::{Column, FORMAT, Loading, State};
use wane::{Adafactor, AdamW, Anchor, Decay, Error, NAdam, Optimizer, Param, Schedule, Sgd};

/// A run whose numbers can be worked out by hand: every column after one step on these gradients.
fn small() -> Box<dyn Optimizer<f32>> {
    let mut opt = AdamW::new(0.25)
        .betas(0.5, 0.75)
        .lr_schedule(Schedule::linear(1.0, 0.5, 8))
        .group("kept", |s| s.weight_decay(Decay::fixed(0.25).towards(Anchor::Start)))
        .build()
        .unwrap();
    let (mut w, mut b) = ([1.0; 6], [0.5, -0.5]);
    opt.step(&mut [
        Param::new("fc.weight", &mut w, &[4.0, -4.0, 2.0, 1.0, 0.0, 8.0]).shape(&[2, 3]),
        Param::new("fc.bias", &mut b, &[1.0, 2.0]).shape(&[2]).in_group("kept"),
    ])
    .unwrap();
    opt.set_learning_rate(0.125).unwrap();
    opt.into()
}

/// The columns of that run, by the equations m = (1 − β₁)g and v = (1 − β₂)g².
const SMALL: [(&str, &[usize], &[f32]); 5] = [
    ("fc.weight.exp_avg", &[2, 3], &[2.0, -2.0, 1.0, 0.5, 0.0, 4.0]),
    ("fc.weight.exp_avg_sq", &[2, 3], &[4.0, 4.0, 1.0, 0.25, 0.0, 16.0]),
    ("fc.bias.exp_avg", &[2], &[0.5, 1.0]),
    ("fc.bias.exp_avg_sq", &[2], &[0.25, 1.0]),
    ("fc.bias.anchor", &[2], &[0.5, -0.5]),
];

fn bytes(state: &State<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    state.write(&mut bytes).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> wane::Result<State<'static>> {
    State::read(&mut &*bytes)
}

#[test]
fn the_reader_of_the_format_reads_it() {
    let bytes = bytes(&small().export());
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut names: Vec<_> = SMALL.iter().map(|(name, ..)| *name).collect();
    names.sort_unstable();
    let mut found = file.names();
    found.sort_unstable();
    assert_eq!(found, names);
    for (name, shape, numbers) in SMALL {
        let tensor = file.tensor(name).unwrap();
        assert_eq!((tensor.dtype(), tensor.shape()), (Dtype::F32, shape));
        let stored: Vec<_> = tensor.data().chunks(4).map(|word| f32::from_le_bytes(word.try_into().unwrap())).collect();
        assert_eq!(stored, numbers, "{name}");
    }
    let (len, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    assert!(len.is_multiple_of(8), "numbers are aligned");
    let text = &metadata.metadata().as_ref().unwrap()["wane"];
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!((&json["format"], &json["optimizer"], &json["learning_rate"]), (&1.into(), &"adamw".into(), &0.125.into()));
    assert_eq!(json["parameters"][1]["columns"][2], serde_json::json!({"name": "anchor", "numbers": {"f32": []}}));
}

#[test]
fn columns_of_other_lengths_and_types_are_tensors_too() {
    let mut factored = Adafactor::new(0.1).build::<f64>().unwrap();
    factored.step(&mut [Param::new("w", &mut [1.0; 6], &[0.5; 6]).shape(&[2, 3])]).unwrap();
    let mut nadam = NAdam::new(0.1).build::<f64>().unwrap();
    nadam.step(&mut [Param::new("w", &mut [1.0; 6], &[0.5; 6]).shape(&[2, 3])]).unwrap();
    for (state, expected) in [
        (factored.export(), &[("w.row_var", vec![2]), ("w.col_var", vec![3])][..]),
        (nadam.export(), &[("w.exp_avg", vec![2, 3]), ("w.exp_avg_sq", vec![2, 3]), ("w.mu_product", vec![])]),
    ] {
        let bytes = bytes(&state);
        let file = SafeTensors::deserialize(&bytes).unwrap();
        for (name, shape) in expected {
            let tensor = file.tensor(name).unwrap();
            assert_eq!((tensor.dtype(), tensor.shape()), (Dtype::F64, &**shape), "{name}");
        }
        assert_eq!(file.len(), expected.len());
        assert_eq!(read(&bytes).unwrap(), state);
    }
}

#[test]
fn a_state_has_the_same_bytes_every_time() {
    let opt = small();
    let first = bytes(&opt.export());
    assert!((0..20).all(|_| bytes(&opt.export()) == first));
    assert_eq!(bytes(&read(&first).unwrap()), first);
}

/// Every bit and every length of a small file: an error that says so, or the same state.
#[test]
fn no_damage_goes_unseen() {
    let state = small().export().into_owned();
    let whole = bytes(&state);
    let [mut errors, mut equal] = [0; 2];
    let mut look = |damaged: &[u8], what: &dyn Fn() -> String| match read(damaged) {
        Ok(found) => {
            assert_eq!(found, state, "{}", what());
            equal += 1;
        }
        Err(Error::NoState { .. } | Error::StateFormat { .. }) => errors += 1,
        Err(error) => panic!("{}: {error}", what()),
    };
    for len in 0..whole.len() {
        look(&whole[..len], &|| format!("cut to {len} bytes"));
    }
    for (i, bit) in (0..whole.len()).flat_map(|i| (0..8).map(move |bit| (i, bit))) {
        let mut damaged = whole.clone();
        damaged[i] ^= 1 << bit;
        look(&damaged, &|| format!("bit {bit} of byte {i}"));
    }
    look(&[&whole[..], &[0]].concat(), &|| "one byte more".into());
    println!("{} bytes: {errors} damaged files are refused, {equal} load as they were", whole.len());
    assert_eq!(errors + equal, 9 * whole.len() + 1);
    // A blank at the end of the header may become other white space.
    assert!(equal < 100, "{equal}");
}

/// A header of its own, with these bytes behind it.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

#[test]
fn what_is_no_state_is_refused_with_the_reason() {
    let state = serde_json::to_string(&Sgd::new(0.1).build::<f32>().unwrap().export()).unwrap();
    let later = state.replace("\"format\":1", "\"format\":2,\"news\":[]");
    let with = |state: &str, crc: &str, tensors: &str| {
        let state = serde_json::to_string(state).unwrap();
        format!("{{\"__metadata__\":{{\"wane\":{state},\"wane_crc32\":\"{crc}\"}}{tensors}}}")
    };
    let tensor = |dtype: &str, len: usize| format!(",\"w.m\":{{\"dtype\":\"{dtype}\",\"shape\":[1],\"data_offsets\":[0,{len}]}}");
    for (bytes, reason) in [
        (vec![], "it is cut off"),
        (vec![255; 64], "no safetensors file: its header is too long"),
        (file("nothing", &[]), "no safetensors header: "),
        (file("{}", &[]), "no `wane` in its metadata"),
        (file("{\"__metadata__\":{\"wane\":\"{}\"}}", &[]), "no `wane_crc32` in its metadata"),
        (file(&with("{}", "", ""), &[]), "no state in its metadata: missing field `format`"),
        (file(&with(&state, "00000000", ""), &[]), "its checksum is another one"),
        (file(&with(&state, "00000000", &tensor("F32", 4)), &[0; 4]), "the tensor `w.m` belongs to no parameter"),
        (file(&with(&state, "00000000", &tensor("I8", 1)), &[0]), "the tensor `w.m` is of type I8"),
        (file(&with(&state, "00000000", &tensor("F64", 8)), &[0; 7]), "it is cut off"),
        (file(&with(&state, "00000000", ""), &[0]), "there are bytes behind its end"),
        (file(&with(&format!("{state}}}"), "00000000", ""), &[]), "no state in its metadata: trailing characters"),
    ] {
        let error = read(&bytes).unwrap_err();
        let Error::NoState { reason: found, .. } = &error else { panic!("{error:?}") };
        assert!(found.starts_with(reason), "{found}");
        assert!(error.to_string().starts_with("`(stream)` holds no whole state: "), "{error}");
    }
    let error = read(&file(&with(&later, "00000000", ""), &[])).unwrap_err();
    assert_eq!(error, Error::StateFormat { found: 2, known: 1 });
}

#[test]
fn failures_of_the_operating_system_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let opt = small();
    let inside = |name: &str| folder.path().join(name);
    fs::create_dir(inside("folder")).unwrap();
    for (result, path, doing) in [
        (State::load(inside("nothing")).map(drop), inside("nothing"), "reading"),
        (State::load(inside("folder")).map(drop), inside("folder"), "reading"),
        (opt.export().save(inside("no folder/file")), inside("no folder/file"), "writing"),
        (opt.export().save(inside("folder")), inside("folder"), "writing"),
        (opt.export().save(""), PathBuf::new(), "writing"),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(&error, Error::File { path: named, doing: did, .. } if *named == path && *did == doing), "{error:?}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn a_file_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let opt = small();
    Sgd::new(0.1).build::<f64>().unwrap().export().save(&path).unwrap();
    opt.export().save(&path).unwrap();
    assert_eq!(State::load(&path).unwrap(), opt.export());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Numbers go from the optimizer's memory to the writer, and from the reader to one place.
#[test]
fn saving_copies_no_numbers_and_loading_one_time() {
    const WEIGHTS: usize = 1_000_000;
    const FEW: usize = 1 << 20;
    let mut opt = AdamW::new(0.1).build::<f64>().unwrap();
    opt.step(&mut [Param::new("w", &mut vec![1.0; WEIGHTS], &vec![0.5; WEIGHTS])]).unwrap();
    memory::bounded(FEW, || opt.export().write(&mut io::sink())).unwrap();
    let file = bytes(&opt.export());
    // Memory that grows is asked for again: twice the numbers in all, then once what they need.
    let state = memory::bounded(file.len() * 7 / 2 + FEW, || read(&file)).unwrap();
    let mut other = AdamW::new(0.1).build::<f64>().unwrap();
    memory::bounded(file.len() + FEW, || other.import(state, &Loading::strict())).unwrap();
}

/// What a state that was changed by hand would not be when it is read again is not written.
#[test]
fn what_could_not_be_read_again_is_not_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let opt = small();
    opt.export().save(&path).unwrap();
    let flaws: [fn(&mut State<'_>); 4] = [
        |s| s.parameters.push(s.parameters[0].clone()),
        |s| s.groups[0].average = f64::NAN,
        |s| s.learning_rate = Some(f64::NAN),
        |s| {
            s.parameters.push(s.parameters[0].clone());
            s.parameters[2].name = "fc".into();
            s.parameters[2].columns[0].name = "weight.exp_avg".into();
        },
    ];
    for flaw in flaws {
        let mut state = opt.export();
        flaw(&mut state);
        state.save(&path).unwrap_err();
        assert_eq!(State::load(&path).unwrap(), opt.export());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Axes beside an axis of 0 may have a product that does not fit.
#[test]
fn a_parameter_without_weights_is_saved() {
    let mut opt = AdamW::new(0.1).build::<f32>().unwrap();
    opt.step(&mut [Param::new("w", &mut [], &[]).shape(&[1 << 40, 1 << 40, 0])]).unwrap();
    assert_eq!(read(&bytes(&opt.export())).unwrap(), opt.export());
}

/// Where the files of all versions are.
fn fixture(format: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/states/format_{format}.safetensors"))
}

/// Files of all versions load, and are the run that they were made of; its numbers are known by hand.
#[test]
fn files_of_every_version_load() {
    for format in 1..=FORMAT {
        let state = State::load(fixture(format)).unwrap();
        let columns = state.parameters.iter().flat_map(|of| of.columns.iter().map(|column| (&of.name, column)));
        let found: Vec<_> = columns
            .map(|(name, Column { name: column, numbers })| (format!("{name}.{column}"), numbers.get::<f32>().unwrap().to_vec()))
            .collect();
        let expected: Vec<_> = SMALL.iter().map(|(name, _, numbers)| (name.to_string(), numbers.to_vec())).collect();
        assert_eq!(found, expected);
        assert_eq!((state.completed_steps, state.learning_rate), (1, Some(0.125)));
        assert_eq!(state.parameters.iter().map(|of| (of.steps, &*of.group)).collect::<Vec<_>>(), [(1, "default"), (1, "kept")]);

        let mut opt = small();
        opt.reset();
        assert_eq!(opt.import(state, &Loading::strict()).unwrap().parameters(), 2);
        assert_eq!(opt.export(), small().export());
    }
}

/// Once for each version: `cargo test --all-features --test files -- --ignored`.
#[test]
#[ignore = "writes the fixture of this version"]
fn write_the_file_of_this_version() {
    assert!(!fixture(FORMAT).exists(), "a file of a version stays as it is");
    small().export().save(fixture(FORMAT)).unwrap();
}
