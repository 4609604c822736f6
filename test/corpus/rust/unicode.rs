use std::io::{self, BufRead};

fn main() -> io::Result<()> {
    println!("Ahoj, světe ✓");
    for line in io::stdin().lock().lines() {
        let line = line?;
        println!("{} {}", line.chars().count(), line.chars().rev().collect::<String>());
    }
    Ok(())
}
