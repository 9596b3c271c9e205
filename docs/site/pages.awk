# The guides on their way into Doxygen: each page gets a label, and links between files of the repository become links
# between pages of the site. Code is left as it is.
function label(path) {
  sub(/^.*\//, "", path)
  sub(/\.md$/, "", path)
  gsub(/[^A-Za-z0-9]/, "_", path)
  return "guide_" path
}
function site_link(target,   name, anchor) {
  if (target ~ /:\/\//) return target
  anchor = ""
  if (match(target, /#.*$/)) { anchor = substr(target, RSTART); target = substr(target, 1, RSTART - 1) }
  name = target
  sub(/^.*\//, "", name)
  if (target == "") return anchor
  if (target ~ /(^|\/)README\.md$/) return "index.html"
  if (target ~ /\.md$/) return "@ref " label(target)
  if (target ~ /examples\/.*\.cpp$/) { sub(/\.cpp$/, "_8cpp-example.html", name); return name }
  if (target ~ /\.png$/) return name
  if (target ~ /include\/gradus\/.*\.h$/) { sub(/^.*include\//, "", target); return "@ref " target }
  return ""  # nothing on the site: the words stay, without a link
}
/^ *```/ { in_code = !in_code; print; next }
in_code { print; next }
!titled && /^# / { titled = 1; print $0 (FILENAME ~ /README\.md$/ ? "" : " {#" label(FILENAME) "}"); next }
{
  rest = $0
  line = ""
  while (match(rest, /\[[^][]*\]\([^() ]*\)/)) {
    link = substr(rest, RSTART, RLENGTH)
    line = line substr(rest, 1, RSTART - 1)
    rest = substr(rest, RSTART + RLENGTH)
    words = target = link
    sub(/\]\(.*$/, "", words)
    sub(/^.*\]\(/, "", target)
    sub(/\)$/, "", target)
    target = site_link(target)
    line = line (target == "" ? substr(words, 2) : words "](" target ")")
  }
  print line rest
}
