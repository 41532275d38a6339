/// A plan's text in lines of at most `limit` characters, cut between stages where that is enough.
func planLines(_ plan: String, limit: Int) -> [String] {
    var lines: [String] = []
    for (index, stage) in plan.split(separator: " | ").enumerated() {
        let text = index == 0 ? String(stage) : "| " + stage
        if let last = lines.last, last.count + 1 + text.count <= limit {
            lines[lines.count - 1] = last + " " + text
            continue
        }
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > limit {
                lines.append(line)
                line = " "
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        lines.append(line)
    }
    return lines
}
