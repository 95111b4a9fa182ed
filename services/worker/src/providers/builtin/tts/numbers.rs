//! Rewrites numbers in a Chinese text the way they are said, where the synthesiser would say them wrongly.

/// `50%` becomes 百分之50, and a year's digits are said one by one: `2024年` becomes 二零二四年.
pub(super) fn in_chinese(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        said.push_str(&rest[..start]);
        let number = &rest[start..];
        let length = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
        let (digits, after) = number.split_at(length);
        rest = after;
        if let Some(after) = after.strip_prefix(['%', '％']) {
            said.push_str("百分之");
            said.push_str(digits);
            rest = after;
        } else if after.starts_with('年') && digits.len() == 4 && !digits.contains('.') {
            said.extend(digits.chars().filter_map(digit));
        } else {
            said.push_str(digits);
        }
    }
    said.push_str(rest);
    said
}

/// The Chinese character of a digit.
fn digit(c: char) -> Option<char> {
    let value = c.to_digit(10)? as usize;
    ['零', '一', '二', '三', '四', '五', '六', '七', '八', '九'].get(value).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_and_percentages_are_said_as_people_say_them() {
        let text = "2024年增长了50%，3.5％，共100年，第12章，10.";
        assert_eq!(in_chinese(text), "二零二四年增长了百分之50，百分之3.5，共100年，第12章，10.");
    }

    #[test]
    fn a_text_without_numbers_stays_as_it_is() {
        assert_eq!(in_chinese("从前有座山。"), "从前有座山。");
    }
}
