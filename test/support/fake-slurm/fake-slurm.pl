#!/usr/bin/perl
# A Slurm of files: squeue, sinfo, scontrol and scancel, by the name that it is called under.
# It lives at <dir>/bin/<program> and reads <dir>/state:
#   jobs/<id>, nodes/<name>  lines of `Field=value`, percent-encoded; fields as in `-O`
#   conf                     what `scontrol show config` prints
#   mode, mode.<program>     away | hang | garbage | silent | deaf (acts, but the answer is lost); no file: well
#   calls                    one line a call: program and arguments, percent-encoded, tab-separated
use strict;
use warnings;

my ($dir, $program) = $0 =~ m{^(.*)/bin/([^/]+)$} or die "called as $0\n";
my $state = "$dir/state";
binmode STDOUT;

append("$state/calls", join("\t", map { encode($_) } $program, @ARGV) . "\n");
my $mode = slurp("$state/mode.$program") // slurp("$state/mode") // '';
chomp $mode;
if ($mode eq 'hang') { $SIG{TERM} = 'IGNORE'; sleep 1000 }
if ($mode eq 'garbage') { print map { chr int rand 256 } 1 .. 500; exit 0 }
if ($mode eq 'silent') { exit 0 }
away() if $mode eq 'away';

my %programs = (squeue => \&squeue, sinfo => \&sinfo, scontrol => \&scontrol, scancel => \&scancel);
$programs{$program}->(@ARGV);
away() if $mode eq 'deaf';
exit 0;

sub squeue {
    my %option = options(@_);
    my $format = $option{O} // $ENV{SQUEUE_FORMAT2};
    my @jobs = map { job($_) } names('jobs');
    if (defined $option{j}) {
        my $id = $option{j};
        @jobs = grep { grep { $_ eq $id } @$_{qw(JobID ArrayJobID HetJobID)} } @jobs;
        fail('slurm_load_jobs error: Invalid job id specified') unless @jobs;
    }
    if (defined $option{w}) {
        fail("squeue: error: Invalid node name $option{w}") unless -e "$state/nodes/$option{w}";
        @jobs = grep { grep { $_ eq $option{w} } split /,/, $_->{NodeList} } @jobs;
    }
    @jobs = grep { $_->{UserID} eq $option{u} } @jobs if defined $option{u};
    @jobs = grep { $_->{State} =~ /^(PENDING|RUNNING|SUSPENDED|COMPLETING|CONFIGURING)$/ } @jobs
        unless ($option{t} // '') eq 'all';
    rows($format, @jobs);
}

sub sinfo {
    my %option = options(@_);
    my @nodes = grep { !defined $option{n} || $_ eq $option{n} } names('nodes');
    rows($option{O}, map { my $name = $_; +{ NodeList => $name, Reason => 'none', record("nodes/$name") } } @nodes);
}

sub scontrol {
    my ($verb, @words) = @_;
    if ($verb eq 'show') { print slurp("$state/conf") // ''; return }
    if ($verb eq 'requeue') {
        for my $job (targets($words[0])) {
            my $restarts = $job->{RestartCnt} + 1;
            save("jobs/$job->{JobID}", { %$job, State => 'PENDING', NodeList => '', BatchHost => 'n/a', RestartCnt => $restarts });
        }
        return;
    }
    my %set = map { split /=/, $_, 2 } @words;
    if (defined $set{jobid}) {
        my @jobs = targets($set{jobid}) or fail("Invalid job id specified for job $set{jobid}");
        for my $job (@jobs) {
            fail("Job has already finished for job $set{jobid}") unless $job->{State} =~ /^(PENDING|RUNNING|SUSPENDED)$/;
            save("jobs/$job->{JobID}", { %$job, Requeue => $set{requeue} }) if defined $set{requeue};
        }
    }
    if (defined $set{nodename}) {
        my %node = record("nodes/$set{nodename}");
        $node{StateComplete} =~ s/\+drain//i;
        $node{StateComplete} .= '+drain' if lc $set{state} eq 'drain';
        $node{Reason} = $set{reason} if defined $set{reason};
        save("nodes/$set{nodename}", \%node);
    }
}

# Silent about what it does not know, as the real one is.
sub scancel {
    save("jobs/$_->{JobID}", { %$_, State => 'CANCELLED' }) for targets($_[-1]);
}

# `5_2` is one task; a plain number is the job, the whole heterogeneous job, or the whole array.
sub targets {
    my ($target) = @_;
    my @jobs = map { job($_) } names('jobs');
    return grep { "$_->{ArrayJobID}_$_->{ArrayTaskID}" eq $target } @jobs if $target =~ /_/;
    return grep { $_->{JobID} eq $target || $_->{ArrayJobID} eq $target || $_->{HetJobID} eq $target } @jobs;
}

sub job {
    my ($id) = @_;
    my %job = record("jobs/$id") or return ();
    return { ArrayJobID => $id, ArrayTaskID => 'N/A', HetJobID => 'N/A', %job };
}

sub rows {
    my ($format, @records) = @_;
    for my $record (@records) {
        for my $field (split /,/, $format) {
            my ($name, $suffix) = split /:/, $field, 2;
            print $record->{$name} // '(null)', $suffix;
        }
        print "\n";
    }
}

sub options {
    my %option;
    while (@_) {
        my $word = shift;
        $option{$1} = shift if $word =~ /^-([jwutnO])$/;
    }
    return %option;
}

sub names {
    my ($kind) = @_;
    opendir(my $folder, "$state/$kind") or return ();
    return sort { $a cmp $b } grep { !/^\./ } readdir $folder;
}

sub record {
    my ($path) = @_;
    my $text = slurp("$state/$path") // return ();
    return map { my ($key, $value) = split /=/, $_, 2; ($key => decode($value)) } split /\n/, $text;
}

sub save {
    my ($path, $record) = @_;
    my $temporary = "$state/.new.$$";
    append($temporary, join '', map { "$_=" . encode($record->{$_}) . "\n" } sort keys %$record);
    rename $temporary, "$state/$path" or die "$path: $!\n";
}

sub slurp {
    my ($path) = @_;
    open(my $file, '<:raw', $path) or return undef;
    local $/;
    return <$file> // '';
}

sub append {
    my ($path, $text) = @_;
    open(my $file, '>>:raw', $path) or die "$path: $!\n";
    syswrite $file, $text;
}

sub encode { my ($text) = @_; $text =~ s/([^A-Za-z0-9_.,:+()\/-])/sprintf '%%%02x', ord $1/ge; return $text }
sub decode { my ($text) = @_; $text =~ s/%([0-9a-f]{2})/chr hex $1/ge; return $text }

sub fail { print STDERR "$_[0]\n"; exit 1 }
sub away { fail('slurm_load_jobs error: Unable to contact slurm controller (connect failure)') }
