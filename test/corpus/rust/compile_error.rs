fn main() {
    println!("{}", harbour);
}
