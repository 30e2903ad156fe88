//! Spelling that does not matter: case, accents, and the kind of apostrophe. "Zoë" is "ZOE", "Müller" is "muller", and
//! "Nguyễn" is "Nguyen".

/// A letter as it is compared: none for a mark that belongs to the letter before, two for a ligature.
pub(super) fn letters(c: char) -> impl Iterator<Item = char> {
    let lower = c.to_lowercase().next().unwrap_or(c);
    let plain = match lower {
        '\u{300}'..='\u{36f}' => "",
        '\u{2018}' | '\u{2019}' | '\u{2bc}' | '`' | '\u{b4}' => "'",
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' | 'ạ'..='ặ' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' | 'ẹ'..='ệ' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' | 'ǐ' | 'ỉ'..='ị' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' | 'ơ' | 'ǒ' | 'ọ'..='ợ' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' | 'ư' | 'ǔ'..='ǜ' | 'ụ'..='ự' => {
            "u"
        }
        'ŵ' | 'ẁ'..='ẅ' => "w",
        'ý' | 'ÿ' | 'ŷ' | 'ỳ'..='ỹ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        'þ' => "th",
        _ => return Either::One(std::iter::once(lower)),
    };
    Either::Some(plain.chars())
}

/// One of two iterators.
enum Either {
    One(std::iter::Once<char>),
    Some(std::str::Chars<'static>),
}

impl Iterator for Either {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self {
            Either::One(one) => one.next(),
            Either::Some(some) => some.next(),
        }
    }
}

/// A text as it is compared.
pub(super) fn text(text: &str) -> Vec<char> {
    text.chars().flat_map(letters).collect()
}
