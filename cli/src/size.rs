//! Sizes as people write them: `2TB`, `500 GiB`, `1500000`.

/// The bytes that a text means. Units of ten have no `i`, units of two have one, as the IEC defines them; case
/// does not matter.
///
/// # Errors
/// A sentence about what is wrong.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "p" | "pb" => 1_000_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        "pib" => 1 << 50,
        other => {
            return Err(format!(
                "{other:?} is no unit: write 500GB, 500GiB, 2TB or a number of bytes"
            ));
        }
    };
    let example = "write a number with a unit, such as 500GB, 1.5TiB, or a number of bytes";
    if let Ok(whole) = number.parse::<u64>() {
        return whole
            .checked_mul(factor)
            .ok_or_else(|| "that is too much".to_owned());
    }
    match number.parse::<f64>() {
        // A fraction of a byte more or less is nothing.
        Ok(value) if value * (factor as f64) < 9e18 => Ok((value * factor as f64) as u64),
        Ok(_) => Err("that is too much".to_owned()),
        Err(_) => Err(example.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_a_size_or_explained(text in "[0-9.]{0,25}[a-zA-Z ]{0,5}|.{0,10}") {
            if let Err(why) = parse(&text) {
                prop_assert!(!why.is_empty());
            }
        }

        #[test]
        fn whole_numbers_mean_themselves(number: u64) {
            prop_assert_eq!(parse(&number.to_string()), Ok(number));
        }
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(parse("0"), Ok(0));
        assert_eq!(parse("1500000"), Ok(1_500_000));
        assert_eq!(parse("2TB"), Ok(2_000_000_000_000));
        assert_eq!(parse("500 gib"), Ok(500 << 30));
        assert_eq!(parse("1.5k"), Ok(1500));
        for wrong in ["", "GB", "5 XB", "-1", "1.2.3", "99999999PB", "9999999.5PB"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
