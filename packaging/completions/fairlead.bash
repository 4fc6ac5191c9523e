# Completion for bash: asks `fairlead __complete` (plugin-api/cli/complete.h). Works without the package bash-completion too.
_fairlead() {
  local line=${COMP_LINE:0:COMP_POINT} word broken rest
  local -a given answer
  read -ra given <<<"$line"
  [[ $line == *[[:space:]] ]] && given+=("")
  word=${given[-1]}
  mapfile -t answer < <("${1/#\~/$HOME}" __complete "${given[@]:1}" 2>/dev/null)
  COMPREPLY=()
  [ ${#answer[@]} -gt 0 ] || return 0
  case ${answer[-1]} in
  :nospace) compopt -o nospace ;;
  :files) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -f -- "${word#--*=}") ;;
  :folders) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -d -- "${word#--*=}") ;;
  esac
  unset 'answer[-1]'
  COMPREPLY+=("${answer[@]%%$'\t'*}")
  # To bash a word begins anew behind = and :, and at @, unless somebody has told it not to.
  rest=${word##*["${COMP_WORDBREAKS//[^=:]/}"]} broken=${word%"$rest"}
  [[ $rest == *@* && $COMP_WORDBREAKS == *@* ]] && broken+=${rest%@*}
  [ -z "$broken" ] || COMPREPLY=("${COMPREPLY[@]#"$broken"}")
}
complete -F _fairlead fairlead
