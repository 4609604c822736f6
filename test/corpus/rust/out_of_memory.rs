fn main() {
    let kept = vec![1u8; 1 << 45];
    println!("{}", kept.len());
}
