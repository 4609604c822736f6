use std::collections::HashMap;
use std::io::{self, Read};

fn frequencies(sequence: &[u8], length: usize) -> HashMap<&[u8], usize> {
    let mut counts = HashMap::new();
    for window in sequence.windows(length) {
        *counts.entry(window).or_insert(0) += 1;
    }
    counts
}

fn main() -> io::Result<()> {
    let mut input = String::new();
    io::stdin().read_to_string(&mut input)?;
    let sequence: Vec<u8> = input
        .lines()
        .skip_while(|line| !line.starts_with(">THREE"))
        .skip(1)
        .flat_map(|line| line.bytes())
        .map(|base| base.to_ascii_uppercase())
        .collect();

    for length in 1..=2 {
        let mut counts: Vec<_> = frequencies(&sequence, length).into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let total = (sequence.len() - length + 1) as f64;
        for (key, count) in counts {
            println!("{} {:.3}", String::from_utf8_lossy(key), 100.0 * count as f64 / total);
        }
        println!();
    }
    for key in ["GGT", "GGTA", "GGTATT", "GGTATTTTAATT"] {
        let count = frequencies(&sequence, key.len()).get(key.as_bytes()).copied().unwrap_or(0);
        println!("{count}\t{key}");
    }
    Ok(())
}
