def read_parts(text):
    words = text.split()
    if len(words) != 2 or not all(word.isdigit() for word in words):
        return None
    return [int(word) for word in words]
