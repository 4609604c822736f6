use std::io::{stdin, Read};

fn main() {
    let mut text = String::new();
    stdin().read_to_string(&mut text).expect("standard input is text");
    let mut words = text.split_whitespace().map(|word| word.parse::<i64>().expect("a number"));
    let count = words.next().expect("a count") as usize;
    let numbers: Vec<i64> = words.take(count).collect();
    let sum: i64 = numbers.iter().sum();
    println!("sum: {sum}");
    println!("largest: {}", numbers.iter().max().expect("at least one"));
    println!("mean: {:.2}", sum as f64 / count as f64);
}
