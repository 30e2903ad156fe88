//! Reads the kind of a private key from its DER, for error messages about keys that TLS does not accept.

use rustls::pki_types::PrivateKeyDer;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const PARAMETERS: u8 = 0xA0;
/// rsaEncryption, 1.2.840.113549.1.1.1.
const RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
/// id-ecPublicKey, 1.2.840.10045.2.1.
const EC: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
/// Curves that users may try and that TLS does not accept.
const CURVES: [(&[u8], &str); 5] = [
    (&[0x2B, 0x81, 0x04, 0x00, 0x0A], "secp256k1"),
    (&[0x2B, 0x81, 0x04, 0x00, 0x21], "P-224"),
    (&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x01], "P-192"),
    (
        &[0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07],
        "brainpoolP256r1",
    ),
    (
        &[0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0B],
        "brainpoolP384r1",
    ),
];

/// The kind of a key, such as "an RSA key of 1024 bits". `None`: another kind, or unreadable.
pub fn kind(key: &PrivateKeyDer<'_>) -> Option<String> {
    match key {
        PrivateKeyDer::Pkcs1(der) => rsa(der.secret_pkcs1_der()),
        PrivateKeyDer::Sec1(der) => {
            let (body, _) = element(der.secret_sec1_der(), SEQUENCE)?;
            // The sequence is version, key, curve.
            let (_, rest) = element(body, INTEGER)?;
            let (_, rest) = element(rest, OCTETS)?;
            let (parameters, _) = element(rest, PARAMETERS)?;
            curve(parameters)
        }
        PrivateKeyDer::Pkcs8(der) => {
            let (body, _) = element(der.secret_pkcs8_der(), SEQUENCE)?;
            let (_, rest) = element(body, INTEGER)?;
            let (algorithm, rest) = element(rest, SEQUENCE)?;
            match element(algorithm, OID)? {
                (RSA, _) => rsa(element(rest, OCTETS)?.0),
                (EC, parameters) => curve(parameters),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Size of an RSA key, from its modulus.
fn rsa(der: &[u8]) -> Option<String> {
    let (body, _) = element(der, SEQUENCE)?;
    let (_, rest) = element(body, INTEGER)?;
    let (modulus, _) = element(rest, INTEGER)?;
    let zeros = modulus.iter().take_while(|b| **b == 0).count();
    let first = modulus.get(zeros)?;
    let bits = (modulus.len() - zeros) * 8 - first.leading_zeros() as usize;
    Some(format!("an RSA key of {bits} bits"))
}

fn curve(parameters: &[u8]) -> Option<String> {
    let (oid, _) = element(parameters, OID)?;
    let named = CURVES.iter().find(|(known, _)| *known == oid);
    Some(match named {
        Some((_, name)) => format!("an EC key of the curve {name}"),
        None => "an EC key of a curve that is not used here".to_owned(),
    })
}

/// Splits the bytes into the content of the first element and the rest. `None`: it has another tag.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match length {
        short @ 0..=0x7F => (usize::from(short), rest),
        // Two bytes of length cover 64 KiB, more than any key.
        0x81 => {
            let (&[one], rest) = rest.split_first_chunk::<1>()?;
            (usize::from(one), rest)
        }
        0x82 => {
            let (two, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*two)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82], &length[..], content].concat()
    }

    fn rsa_of(bytes: usize) -> Vec<u8> {
        let modulus = [vec![0], vec![0xFF; bytes]].concat();
        let parts = [
            der(INTEGER, &[0]),
            der(INTEGER, &modulus),
            der(INTEGER, &[3]),
        ];
        der(SEQUENCE, &parts.concat())
    }

    fn pkcs8(algorithm: &[Vec<u8>], key: &[u8]) -> Vec<u8> {
        let algorithm = der(SEQUENCE, &algorithm.concat());
        let parts = [der(INTEGER, &[0]), algorithm, der(OCTETS, key)];
        der(SEQUENCE, &parts.concat())
    }

    #[test]
    fn keys_are_told_by_kind_and_size_in_every_form() {
        let k1 = der(OID, CURVES[0].0);
        let sec1 = [
            der(INTEGER, &[1]),
            der(OCTETS, &[7; 32]),
            der(PARAMETERS, &k1),
        ];
        let forms = [
            (
                PrivateKeyDer::Pkcs1(rsa_of(128).into()),
                "an RSA key of 1024 bits",
            ),
            (
                PrivateKeyDer::Pkcs8(pkcs8(&[der(OID, RSA)], &rsa_of(64)).into()),
                "an RSA key of 512 bits",
            ),
            (
                PrivateKeyDer::Sec1(der(SEQUENCE, &sec1.concat()).into()),
                "an EC key of the curve secp256k1",
            ),
            (
                PrivateKeyDer::Pkcs8(pkcs8(&[der(OID, EC), k1], &[7; 32]).into()),
                "an EC key of the curve secp256k1",
            ),
        ];
        for (key, words) in forms {
            assert_eq!(kind(&key).as_deref(), Some(words));
            let bytes = key.secret_der();
            for cut in 0..bytes.len() {
                let part = PrivateKeyDer::Pkcs8(bytes[..cut].to_vec().into());
                assert_eq!(kind(&part), None, "{cut}");
            }
        }
    }
}
