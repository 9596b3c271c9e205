# Doxygen reads /// where our headers have //. This turns one into the other on the way in:
#   - the comment that a header begins with becomes the description of the file
#   - a comment right above declarations becomes theirs: that of each that follows without a gap
#   - a comment behind a declaration becomes its own
#   - a line "--- name ---" begins a section
# Comments are plain text with `code`, and indented example lines; nothing in them is a command or a tag.
function escape(text,   part, n, i, out) {
  n = split(text, part, "`")
  for (i = 1; i <= n; i++) {
    if (i % 2) gsub(/[\\@<>#&%$"]/, "\\\\&", part[i])
    out = out (i > 1 ? "`" : "") part[i]
  }
  return out
}
# Line j of a comment, with the marks of an example's begin and end around its indented lines.
function described(j,   text, code, out) {
  text = comment[j]
  if (text ~ /^ *[-*] /) in_list = 1
  else if (text !~ /^ +/) in_list = 0
  code = !in_list && (text ~ /^  +[^ ]/ || (in_code && text == "" && j < lines && comment[j + 1] ~ /^  +[^ ]/))
  if (code && !in_code) out = "/// @code{.cpp}\n"
  if (!code && in_code) out = "/// @endcode\n"
  in_code = code
  if (code) sub(/^  /, "", text)
  return out "///" (text == "" ? "" : " ") (code ? text : escape(text))
}
function describe(   j) {
  for (j = 1; j <= lines; j++) print described(j)
  if (in_code) print "/// @endcode"
  in_code = in_list = 0
}
function plainly(   j) {
  for (j = 1; j <= lines; j++) print "// " comment[j]
}
function end_section() {
  if (in_section) print "///@}"
  in_section = 0
}
{
  match($0, /^ */)
  here = RLENGTH
  text = $0
  if ($0 ~ /^ *\/\/\/?( |$)/) {
    sub(/^ *\/\/\/? ?/, "", text)
    if (text ~ /^--- .*---$/) {
      gsub(/^-+ | -+$/, "", text)
      end_section()
      print "/// @name " toupper(substr(text, 1, 1)) escape(substr(text, 2)) "\n///@{"
      in_section = 1
      above = 0
      next
    }
    if (!gathering) lines = 0
    gathering = 1
    above = 0
    comment[++lines] = text
    next
  }
  if (gathering) {
    gathering = 0
    if (!has_file && ((!begun && ($0 == "" || $0 ~ /^#/)) || $0 ~ /^namespace /)) {
      print "/// @file"
      describe()
      has_file = 1
    } else if ($0 == "" || $0 ~ /^ *(}|public:|private:|protected:|#|namespace )/) plainly()
    else {
      above = 1
      indent = here
      complete = 1
    }
  }
  if ($0 != "") begun = 1
  if (here <= indent && ($0 == "" || $0 ~ /^ *(}|public:|private:|protected:|namespace )/)) above = 0
  if ($0 ~ /^}/) end_section()
  behind = ""
  if ($0 !~ /^ *}/ && match($0, /[;,{})] +\/\/ /)) {
    behind = "  ///< " escape(substr($0, RSTART + RLENGTH))
    $0 = substr($0, 1, RSTART)
  }
  if (above && here == indent && complete && $0 !~ /^ *}/ && behind == "") describe()
  if (here == indent) complete = $0 ~ /[;}] *$/
  # What stands in a class or follows one is not meant by the words above it.
  if (above && $0 ~ /^ *(class|struct|enum|union) [^;]*$/) above = 0
  print $0 behind
}
