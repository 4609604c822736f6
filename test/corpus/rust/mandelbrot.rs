const SIZE: u32 = 60;

fn stays(re: f64, im: f64) -> bool {
    let (mut x, mut y) = (0.0, 0.0);
    for _ in 0..50 {
        let next = x * x - y * y + re;
        y = 2.0 * x * y + im;
        x = next;
        if x * x + y * y > 4.0 {
            return false;
        }
    }
    true
}

fn main() {
    println!("P1\n{SIZE} {SIZE}");
    for row in 0..SIZE {
        let im = 2.0 * row as f64 / SIZE as f64 - 1.0;
        let line: String = (0..SIZE)
            .map(|column| if stays(2.0 * column as f64 / SIZE as f64 - 1.5, im) { '1' } else { '0' })
            .collect();
        println!("{line}");
    }
}
