fn main() {
    println!("before");
    let berths: Vec<u32> = Vec::new();
    println!("{}", berths[2]);
}
