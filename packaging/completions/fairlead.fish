# Completion for fish: asks `fairlead __complete` (plugin-api/cli/complete.h).
function __fairlead_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l current (commandline --current-token --cut-at-cursor)
    set -l answer (command $words[1] __complete $words[2..-1] "$current" 2>/dev/null)
    set -l option (string match --regex -- '^--.*?=' "$current")
    set -l path (string replace --regex -- '^--.*?=' '' "$current")
    switch "$answer[-1]"
        case :files
            printf "$option%s\n" (__fish_complete_path "$path")
        case :folders
            printf "$option%s\n" (__fish_complete_directories "$path")
    end
    test (count $answer) -gt 1; and printf '%s\n' $answer[1..-2]
end
complete --command fairlead --no-files --arguments '(__fairlead_complete)'
