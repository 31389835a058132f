/*
 * lineage.pml: lineage that moves with what it made (PROTOCOL.md, step 17, "Another owner"), for SPIN.
 *
 * Two objects, or three: X is made out of Y, and Z is made by X's task as well, or out of Y, or out of X. O owns all of
 * them at first and knows their tasks. X and Z are given away, by whoever owns them; Y is not, and goes as a record
 * alone when nothing holds it. What ownership does is in transfer.pml; of that there is here as much as decides when a
 * task goes along, comes back, and lets go of what it needs. Each step is one turn of one process, and the checker
 * tries every order of turns. Sessions, membership and crashes are as in transfer.pml.
 *
 * Each process has two tables, the ObjectTable's shards and the LineageTable, which tell each other by notices.
 *
 * What is checked: S5 and where lineage is, at each step, and a clean world in every end state. README.md says what
 * that is and what is left out. run.sh says with which parameters it runs.
 *
 * Every set of processes, objects or tasks is a bit mask. "Hidden" variables are scratch and not part of the state.
 */

/* ---- Parameters (all may be given as -D to spin) --------------------------------------------------------- */

#ifndef PROCESSES
#define PROCESSES 2         /* O, P; with 3 also Q */
#endif
#ifndef TRANSFERS
#define TRANSFERS 1         /* of X and Z together, by anybody to anybody */
#endif
#ifndef REVIVALS
#define REVIVALS 0          /* how often a task that runs again has something made again that it needs */
#endif
#ifndef EXCLUSIONS
#define EXCLUSIONS 1        /* crashes and false suspicions together */
#endif
#ifndef CAPACITY
#define CAPACITY 6          /* items in flight per session; running over is reported as an error */
#endif
/*
 * TWINS           Z is made by X's task. FORK: out of Y by another task. CHAIN: out of X, which is not given away then.
 *                 Without any of them there is no Z.
 * KEPT            X, and in a CHAIN Z, never ends.
 * LATE            a notice to the LineageTable may come at any time, but for those of the pump, which come before its
 *                 next turn. Otherwise they come at once, in their order.
 * SUSPICION       an exclusion may also hit a live process, which works on until it reads its view.
 *
 * Rules removed, each of which must make the checker find a failure:
 * NO_LENDING             whoever gives an object away may go on making it
 * NO_GIVING_BACK         an object that comes back has no task
 * NO_WAIT_FOR_SETTLED    a record follows what may still come back
 * NO_WAIT_FOR_ALL        ... although something else that the task made may
 * NO_SECOND_LOOK         a record that is to follow goes whatever it is needed for since
 * NO_FOLLOWING           a record stays
 * NO_MANY                a record goes to the latest of those that need it
 * NO_WAIT_OF_RECORDS     a record that may still be taken back goes on
 * NO_OFFER_AGAIN         a record that has settled, and could not go on before, is not looked at again
 * NO_STAYING             what was refused is offered again
 * NO_LENT_ENDED          a task is kept for what has ended where it went
 * NO_ENDED_LENT          what has ended before it is known to be back is in scope for ever
 * NO_UNDOING             what is refused when its task has been adopted has ended, as if it had been owned
 * NO_WORD_TO_FORMERS     owners before do not hear that a later one is it for good
 * NO_WAIT_FOR_WORD       ... and believe it as soon as they hear of it
 *
 * Removed as well, but not seen to fail in the rows of run.sh:
 * NO_KEPT_LENT           what is a record before it is known to be back is not looked at as one
 */

/* ---- Sets ------------------------------------------------------------------------------------------------ */

#define O 0
#define P 1
#define N PROCESSES
#define NOBODY 7
#define MANY 6
#define EVERYONE ((1 << N) - 1)
#define ONE(i) (1 << (i))
#define HAS(set, i) (((set) >> (i)) & 1)
#define ADD(set, i) set = (set) | ONE(i)
#define DEL(set, i) set = (set) & ~ONE(i)

#define X 0
#define Y 1
#define Z 2
#if defined(TWINS) || defined(FORK) || defined(CHAIN)
#define OBJECTS 3
#else
#define OBJECTS 2
#endif
#define ALL_OBJECTS ((1 << OBJECTS) - 1)
#define LETTER(o) (88 + (o))            /* for the reader */
#define AT(p, o) [(p) * OBJECTS + (o)]

/* A task has the number of the first object that it makes. */
#ifdef TWINS
#define TASKS 2
#define MAKER(o) ((o) == Z -> X : (o))
#define RETURNS(t) ((t) == X -> ONE(X) | ONE(Z) : ONE(t))
#else
#define TASKS OBJECTS
#define MAKER(o) (o)
#define RETURNS(t) ONE(t)
#endif
#ifdef CHAIN
#define ARGUMENTS(t) ((t) == Z -> ONE(X) : ((t) == X -> ONE(Y) : 0))
#define MOVABLE ONE(Z)
#define KEEPER Z
#else
#define ARGUMENTS(t) ((t) == Y -> 0 : ONE(Y))
#define MOVABLE (ONE(X) | ONE(Z))
#define KEEPER X
#endif
#if TASKS > 2
#define ARGUMENTS_OF(set) ((HAS(set, X) -> ARGUMENTS(X) : 0) | (HAS(set, Z) -> ARGUMENTS(Z) : 0))
#else
#define ARGUMENTS_OF(set) (HAS(set, X) -> ARGUMENTS(X) : 0)
#endif

/* ---- The LineageTable of a process: sets of objects, but for the first two, which are of tasks ------------- */

byte kept[N];               /* known here */
byte away[N];               /* of use to others alone, which have what they made for good */
byte made[N];               /* its task is known here and may make it */
byte in_scope[N];           /* of these, as was told here */
byte unsettled[N];          /* another process's; it may come back */
byte settled[N];            /* ... or not */
byte over[N];               /* ... or has ended there */
byte ended_lent[N];         /* has ended here before it was told to be back */
byte kept_lent[N];          /* ... and its record alone is left */
byte stays[N];              /* was to follow, and was refused */
byte lent_to[N * OBJECTS];
byte task_to[N * TASKS];    /* of one that is away: who has what it made; MANY: several have */

#define LENT_BY(p) (unsettled[p] | settled[p] | over[p])
#define DEPENDED(p) ARGUMENTS_OF(kept[p])
#define OF_USE(p) (in_scope[p] | DEPENDED(p))
#define NEEDED(p, t) ((RETURNS(t) & made[p] & OF_USE(p)) != 0)
#define LENT(p, t) ((RETURNS(t) & (unsettled[p] | settled[p])) != 0)
#ifdef NO_WAIT_FOR_SETTLED
#define MAY_COME_BACK(p, t) false
#else
#ifdef NO_WAIT_FOR_ALL
#define MAY_COME_BACK(p, t) ((RETURNS(t) & unsettled[p]) != 0 && (RETURNS(t) & settled[p]) == 0)
#else
#define MAY_COME_BACK(p, t) ((RETURNS(t) & unsettled[p]) != 0)
#endif
#endif
#define IS_AWAY(p, t) (!NEEDED(p, t) && LENT(p, t) && !MAY_COME_BACK(p, t))
#define IS_LENT(p, o) HAS(unsettled[p] | settled[p], o)
#ifdef TWINS
#define PLACE(p, t) ((t) == X && IS_LENT(p, Z) -> \
    (!IS_LENT(p, X) || lent_to AT(p, X) == lent_to AT(p, Z) -> lent_to AT(p, Z) : MANY) : lent_to AT(p, t))
#else
#define PLACE(p, t) lent_to AT(p, t)
#endif
/* Nothing but away tasks needs it. */
#define NEEDS_AWAY(p, t, o) (HAS(away[p], t) && HAS(ARGUMENTS(t), o))
#define TASK_TO(p, t) task_to[(p) * TASKS + (t)]
#if TASKS > 2
#ifdef NO_MANY
#define SAME(p) true
#else
#define SAME(p) (TASK_TO(p, X) == TASK_TO(p, Z))
#endif
#define OBJECT_TO(p, o) (NEEDS_AWAY(p, X, o) -> (!NEEDS_AWAY(p, Z, o) || SAME(p) -> TASK_TO(p, X) : MANY) : TASK_TO(p, Z))
#else
#define OBJECT_TO(p, o) TASK_TO(p, X)
#endif
#define IS_ALONE(p, o) (HAS(ARGUMENTS_OF(away[p]), o) && !HAS(ARGUMENTS_OF(kept[p] & ~away[p]), o) && !HAS(stays[p], o))
#ifdef NO_FOLLOWING
#define FOLLOWING false
#else
#define FOLLOWING true
#endif
#ifdef NO_LENT_ENDED
#define ENDS_LENDING false
#else
#define ENDS_LENDING true
#endif
#ifdef NO_GIVING_BACK
#define GIVES_BACK false
#else
#define GIVES_BACK true
#endif

/* ---- The ObjectTable of a process ------------------------------------------------------------------------- */

#define NONE 0
#define SCOPE 1             /* owned, and somebody holds it */
#define OUT 2               /* owned, and only copies are left */
#define RECORD 3            /* owned, and nothing but the record is left */
byte record[N * OBJECTS];
byte term[N * OBJECTS];     /* of the owner; of a former one, the next owner's */
byte former[N * OBJECTS];   /* owners before, the dead included */
byte from[N * OBJECTS];     /* who handed it over and may take it back */
byte telling[N * OBJECTS];  /* former owners that have not answered Moved; OTHERS: somebody has not */
byte awaited[N * OBJECTS];  /* dead next owners, until whose barriers it is held */
byte marked[N];             /* set of objects whose records the LineageTable needs */
#define OTHERS 3

#define SENT 1              /* given away; not answered */
#define TAKEN 2
#define SETTLED 3           /* ... and everybody has been told */
byte stage[N * OBJECTS];
byte next[N * OBJECTS];     /* owner */
byte as_record[N];          /* set of objects that were given as a record alone */

byte transfers, revivals;

/* ---- Notices: sets of objects ----------------------------------------------------------------------------- */

byte n_settled[N], n_back[N], n_refused[N], n_lent_ended[N];    /* of the pump */
byte n_owner[N * OBJECTS];                                      /* ... for whom it has settled */
byte n_ended[N], n_kept[N];                                     /* of anybody */
byte n_forget[N];           /* the LineageTable's: nothing needs the record */
byte follow[N * OBJECTS];   /* ... it is to be given to */
#define PUMP_NOTICES(p) (n_settled[p] | n_back[p] | n_refused[p] | n_lent_ended[p])
#define NOTICES(p) (PUMP_NOTICES(p) | n_ended[p] | n_kept[p] | n_forget[p])

/* ---- Membership: as in transfer.pml ------------------------------------------------------------------------ */

#define VIEW(v) ((v) + 1)
#define BARRIER(v) ((v) + 16)
#if EXCLUSIONS > 0
#define VIEWS EXCLUSIONS
#else
#define VIEWS 1
#endif
byte stream[2 * VIEWS], streamed;
byte views, excludes[VIEWS];
byte reported, excluded, closed, stopped, faults;
byte position[N], fenced[N];

/* ---- For the oracle ---------------------------------------------------------------------------------------- */

byte last[OBJECTS];         /* who became its owner last */
byte refused[N * OBJECTS];  /* who has refused its record */
byte had[N];                /* set of objects that are owned here with what they are made of */
byte ended;                 /* set of objects that nobody holds: what is taken back of them is so for a while */

/* ---- Sessions ---------------------------------------------------------------------------------------------- */

#define TRANSFER 1          /* term; former owners */
#define TRANSFER_RECORD 2   /* likewise */
#define TRANSFER_TAKEN 3
#define TRANSFER_REFUSED 4
#define MOVED 5
#define MOVED_ACK 6
#define MOVED_SETTLED 7
#define SETTLED_ACK 8
#define MOVED_ENDED 9
chan session[N * (N - 1)] = [CAPACITY] of { byte, byte, byte };
#define SESSION(a, z) session[(a) * (N - 1) + ((z) > (a) -> (z) - 1 : (z))]
#define ITEM(kind, o) ((kind) * 4 + (o))
#define KIND(item) ((item) / 4)
#define OBJECT(item) ((item) % 4)

/* ---- Scratch ----------------------------------------------------------------------------------------------- */

hidden byte item, it, value, event, what, arg, x, k, task, a, i, r, to, o, b, d, gone_ids;
hidden byte was, comes, place;
hidden byte looked_for;     /* set of objects */

/* What the checker prints when an assert fails is the name of one of these. */
hidden byte S5_one_active_owner;
hidden byte S7_nothing_from_an_excluded_id_is_applied;
hidden byte lineage_at_one_process;
hidden byte lineage_needs_can_be_had;
hidden byte lineage_at_the_owner;
hidden byte lineage_record_offered_once;
hidden byte session_capacity_suffices, terms_suffice;
hidden byte end_every_barrier_closed, end_every_record_removed, end_every_transfer_ended, end_every_task_let_go_of;
hidden byte end_record_is_where_its_task_is;

#define CHECK(name, truth) name = (truth); assert(name)
#define WORKING(p) (!HAS(stopped, p))
#define TRUSTED(p) (!HAS(stopped | excluded, p))

/* ---- Pieces of a turn -------------------------------------------------------------------------------------- */

inline send(s, z, kind, ob, tm, vl) {
  if
  :: HAS(stopped, z) || HAS(fenced[s], z) || HAS(fenced[z], s) -> skip
  :: else ->
    CHECK(session_capacity_suffices, len(SESSION(s, z)) < CAPACITY);
    SESSION(s, z) ! ITEM(kind, ob), tm, vl
  fi
}

/* ---- The LineageTable -------------------------------------------------------------------------------------- */

inline follow_if_alone(p, ob) {
  if
  :: FOLLOWING && !HAS(in_scope[p], ob) && IS_ALONE(p, ob) && HAS(made[p], ob) && OBJECT_TO(p, ob) != MANY ->
    follow AT(p, ob) = OBJECT_TO(p, ob)
  :: else -> skip
  fi
}

inline release(p, tk) {
  DEL(kept[p], tk); DEL(away[p], tk);
  TASK_TO(p, tk) = NOBODY;
  for (r : 0 .. OBJECTS - 1) {
    if
    :: HAS(ARGUMENTS(tk), r) ->
      if :: HAS(OF_USE(p), r) -> follow_if_alone(p, r) :: else -> skip fi
    :: HAS(RETURNS(tk) & LENT_BY(p), r) ->
      DEL(unsettled[p], r); DEL(settled[p], r); DEL(over[p], r); DEL(ended_lent[p], r); DEL(kept_lent[p], r)
    :: HAS(RETURNS(tk) & made[p], r) ->
      DEL(made[p], r);
      ADD(n_forget[p], r)
    :: else -> skip
    fi
  }
}

/* What follows at once from what was done: tasks go away or come back, or are let go of, and a record may follow. */
inline look_at(p, tk) {
  if
  :: HAS(kept[p], tk) ->
    place = (IS_AWAY(p, tk) -> PLACE(p, tk) : NOBODY);
    if
    :: place == TASK_TO(p, tk) -> skip
    :: else ->
      TASK_TO(p, tk) = place;
      if
      :: place == NOBODY -> DEL(away[p], tk)
      :: else ->
        ADD(away[p], tk);
        for (a : 0 .. OBJECTS - 1) {
          if :: HAS(ARGUMENTS(tk), a) -> follow_if_alone(p, a) :: else -> skip fi
        }
      fi
    fi;
    if :: !NEEDED(p, tk) && !LENT(p, tk) -> release(p, tk) :: else -> skip fi
  :: else -> skip
  fi
}

inline look(p) {
  for (i : 1 .. TASKS) {                /* what needs an object before what makes it */
    task = (i == TASKS -> Y : (i == TASKS - 1 -> X : Z));
    look_at(p, task)
  }
  for (i : 0 .. OBJECTS - 1) {
    if :: HAS(looked_for, i) -> follow_if_alone(p, i) :: else -> skip fi
  }
  looked_for = 0
}

inline end_lent(p, ob) {
  DEL(unsettled[p], ob); DEL(settled[p], ob);
  lent_to AT(p, ob) = NOBODY
}

inline lend_return(p, ob, z) {
#ifndef NO_LENDING
  DEL(made[p], ob);
#endif
  DEL(in_scope[p], ob); DEL(ended_lent[p], ob); DEL(kept_lent[p], ob);
  ADD(unsettled[p], ob);
  lent_to AT(p, ob) = z
}

inline lent_settled(p, ob, z) {
  if
  :: IS_LENT(p, ob) -> DEL(unsettled[p], ob); ADD(settled[p], ob); lent_to AT(p, ob) = z
  :: else -> skip
  fi
}

inline lent_ended(p, ob) {
  if
  :: ENDS_LENDING && HAS(unsettled[p] | settled[p], ob) -> end_lent(p, ob); ADD(over[p], ob)
  :: else -> skip
  fi
}

inline return_back(p, ob, is_record, is_refused) {
  if
  :: GIVES_BACK && HAS(LENT_BY(p), ob) ->
    end_lent(p, ob); DEL(over[p], ob);
    ADD(made[p], ob);
#ifndef NO_STAYING
    if :: is_refused -> ADD(stays[p], ob) :: else -> skip fi;
#endif
    if
#ifdef NO_ENDED_LENT
    :: !(is_record) -> ADD(in_scope[p], ob)
#else
    :: !(is_record) && !HAS(ended_lent[p], ob) -> ADD(in_scope[p], ob)
#endif
    :: else -> skip
    fi;
#ifndef NO_KEPT_LENT
    if :: HAS(kept_lent[p], ob) -> ADD(looked_for, ob) :: else -> skip fi;
#endif
    DEL(ended_lent[p], ob); DEL(kept_lent[p], ob)
  :: else -> if :: is_record -> ADD(n_forget[p], ob) :: else -> skip fi
  fi
}

inline return_ended(p, ob) {
  if
  :: HAS(LENT_BY(p), ob) -> ADD(ended_lent[p], ob)          /* it is not told yet that it is back */
  :: else ->
    if :: !HAS(made[p], ob) -> ADD(n_forget[p], ob) :: else -> skip fi;
    if
    :: HAS(in_scope[p], ob) ->
      DEL(in_scope[p], ob);
      if :: HAS(DEPENDED(p), ob) -> ADD(looked_for, ob) :: else -> skip fi
    :: else -> skip
    fi
  fi
}

inline record_kept(p, ob) {
  if :: HAS(LENT_BY(p), ob) -> ADD(kept_lent[p], ob) :: else -> DEL(kept_lent[p], ob) fi;
  ADD(looked_for, ob)
}

/* comes: back, from whom it was lent to. */
inline adopt(p, ob) {
  comes = HAS(LENT_BY(p), ob);
  if
  :: comes -> DEL(ended_lent[p], ob); return_back(p, ob, false, false)
  :: else -> ADD(kept[p], MAKER(ob)); ADD(made[p], ob); ADD(in_scope[p], ob)
  fi
}

/* It is not owned here after all. */
inline give_up_adopted(p, ob, s) {
#ifdef NO_UNDOING
  return_ended(p, ob)
#else
  if
  :: comes -> lend_return(p, ob, s); lent_settled(p, ob, s)
  :: else -> DEL(made[p], ob); DEL(in_scope[p], ob)
  fi
#endif
}

/* ---- The ObjectTable --------------------------------------------------------------------------------------- */

inline forget_former(p, ob) {
  stage AT(p, ob) = 0; next AT(p, ob) = 0;
  DEL(as_record[p], ob);
  ADD(n_lent_ended[p], ob)
}

inline erase(p, ob) {
  for (k : 0 .. N - 1) {
    if :: k != p && HAS(former AT(p, ob), k) -> send(p, k, MOVED_ENDED, ob, term AT(p, ob), 0) :: else -> skip fi
  }
  record AT(p, ob) = NONE; term AT(p, ob) = 0; former AT(p, ob) = 0; from AT(p, ob) = NOBODY; telling AT(p, ob) = 0;
  DEL(marked[p], ob)
}

/* No copy is left. */
inline settle_erased(p, ob) {
  if
  :: HAS(marked[p], ob) -> record AT(p, ob) = RECORD; ADD(n_kept[p], ob)
  :: else -> erase(p, ob)
  fi
}

#define MAY_BE_TAKEN_BACK(p, ob) (from AT(p, ob) != NOBODY && !HAS(fenced[p], from AT(p, ob)))
#define IS_SETTLED(p, ob) (telling AT(p, ob) == 0 && !MAY_BE_TAKEN_BACK(p, ob))

inline go_on_following(p, ob) {
#ifndef NO_OFFER_AGAIN
  if :: record AT(p, ob) == RECORD && IS_SETTLED(p, ob) -> ADD(n_kept[p], ob) :: else -> skip fi
#else
  skip
#endif
}

/* Owners before, but for who has given it away, which has said so itself. */
inline tell_settled(p, ob) {
#ifndef NO_WORD_TO_FORMERS
  for (k : 0 .. N - 1) {
    if
    :: k != p && HAS(former AT(p, ob), k) && k != from AT(p, ob) && HAS(marked[p], ob) ->
      send(p, k, MOVED_SETTLED, ob, term AT(p, ob), 0)
    :: else -> skip
    fi
  }
#else
  skip
#endif
}

inline settle_if_told(p, ob) {
  if
  :: telling AT(p, ob) != 0 -> skip
  :: else ->
    if
    :: MAY_BE_TAKEN_BACK(p, ob) -> send(p, from AT(p, ob), MOVED_SETTLED, ob, term AT(p, ob), 0)
    :: else -> tell_settled(p, ob); go_on_following(p, ob)
    fi
  fi
}

/* p owns the object from now on, in the term that is set; s is who handed it over. */
inline install(p, ob, s, is_record) {
  CHECK(terms_suffice, term AT(p, ob) < 32);
  record AT(p, ob) = SCOPE;
  last[ob] = p;
  ADD(marked[p], ob);
  telling AT(p, ob) = former AT(p, ob) & ~fenced[p] & ~ONE(p);
  if :: !(is_record) -> ADD(telling AT(p, ob), OTHERS) :: else -> skip fi;
  for (k : 0 .. N - 1) {
    if
    :: k != p && HAS(telling AT(p, ob), k) -> send(p, k, MOVED, ob, term AT(p, ob), 0)
    :: else -> skip
    fi
  }
  from AT(p, ob) = s;
  if :: s != NOBODY -> ADD(former AT(p, ob), s) :: else -> skip fi;
  settle_if_told(p, ob);
  if
  :: is_record && telling AT(p, ob) == 0 && awaited AT(p, ob) == 0 ->
    ADD(n_ended[p], ob);
    settle_erased(p, ob)
  :: else -> skip
  fi
}

inline take_back(p, ob, died) {
  printf("%d: takes %c back\n", p, LETTER(ob));
  if
  :: died -> ADD(n_back[p], ob); ADD(awaited AT(p, ob), next AT(p, ob))
  :: else ->
    if
    :: HAS(as_record[p], ob) -> ADD(n_refused[p], ob); ADD(refused AT(p, ob), next AT(p, ob))
    :: else -> ADD(n_back[p], ob)
    fi
  fi;
  term AT(p, ob)++;
  was = HAS(as_record[p], ob);
  stage AT(p, ob) = 0; next AT(p, ob) = 0; DEL(as_record[p], ob);
  install(p, ob, NOBODY, was)
}

inline give_away(p, ob, z, is_record) {
  if
  :: is_record -> printf("%d: sends the record of %c after, to %d\n", p, LETTER(ob), z)
  :: else -> printf("%d: gives %c to %d\n", p, LETTER(ob), z)
  fi;
  lend_return(p, ob, z);
  term AT(p, ob)++;
  stage AT(p, ob) = SENT; next AT(p, ob) = z;
  record AT(p, ob) = NONE; from AT(p, ob) = NOBODY; telling AT(p, ob) = 0; awaited AT(p, ob) = 0;
  DEL(marked[p], ob);
  if
  :: is_record ->
    ADD(as_record[p], ob);
    CHECK(lineage_record_offered_once, !HAS(refused AT(p, ob), z));
    send(p, z, TRANSFER_RECORD, ob, term AT(p, ob), former AT(p, ob))
  :: else -> send(p, z, TRANSFER, ob, term AT(p, ob), former AT(p, ob))
  fi
}

/* ---- The turns ---------------------------------------------------------------------------------------------- */

#define DELIVER 1           /* from arg */
#define REFUSE 2            /* ... what it gives away, which is refused */
#define REFUSE_LATE 3       /* ... when its task has been adopted */
#define GIVE_X 4            /* to arg */
#define GIVE_Z 5
#define FOLLOWS 6           /* arg */
#define TOLD 7              /* everybody else about arg */
#define READ 8
#define CRASHES 9
#define PUMP CRASHES        /* what the pump does, up to here */
#define ENDS 10             /* arg, for whoever holds it */
#define GONE 11             /* the last copy of arg */
#define REVIVE 12           /* arg */
#define NOTICE_ENDED 13     /* about arg */
#define NOTICE_KEPT 14
#define NOTICE 15           /* one of the pump */
#define FORGET 16

#define IS_ONLY_RECORD(p, ob) (record AT(p, ob) == RECORD && IS_SETTLED(p, ob))

/* LendReturn, then the step of the shard; if that cannot be, it is here again. */
inline step_following(p, ob) {
  to = follow AT(p, ob);
  follow AT(p, ob) = NOBODY;
#ifdef NO_SECOND_LOOK
  was = HAS(made[p], ob);
#else
  was = HAS(made[p], ob) && !HAS(in_scope[p], ob) && IS_ALONE(p, ob) && OBJECT_TO(p, ob) == to;
#endif
  if
#ifdef NO_WAIT_OF_RECORDS
  :: was && !HAS(fenced[p], to) && record AT(p, ob) == RECORD -> give_away(p, ob, to, true)
#else
  :: was && !HAS(fenced[p], to) && IS_ONLY_RECORD(p, ob) -> give_away(p, ob, to, true)
#endif
  :: was && !HAS(fenced[p], to) && !IS_ONLY_RECORD(p, ob) -> lend_return(p, ob, to); return_back(p, ob, true, false)
  :: was && HAS(fenced[p], to) -> lend_return(p, ob, to); return_back(p, ob, true, false)
  :: else -> skip
  fi
}

inline apply_transfer(p, s) {
  o = OBJECT(item);
  if
  :: what == REFUSE || record AT(p, o) != NONE ||
     (stage AT(p, o) != 0 && (stage AT(p, o) != SETTLED || term AT(p, o) >= it)) ->
    send(p, s, TRANSFER_REFUSED, o, it, 0)
  :: else ->
    adopt(p, o);
    if
    :: what == REFUSE_LATE ->
      give_up_adopted(p, o, s);
      send(p, s, TRANSFER_REFUSED, o, it, 0)
    :: else ->
      send(p, s, TRANSFER_TAKEN, o, it, 0);
      if :: stage AT(p, o) != 0 -> forget_former(p, o) :: else -> skip fi;
      term AT(p, o) = it;
      former AT(p, o) = value;
      b = (KIND(item) == TRANSFER_RECORD);
      install(p, o, s, b)
    fi
  fi
}

inline apply_moved(p, s) {
  o = OBJECT(item);
  if
  :: record AT(p, o) == NONE && stage AT(p, o) >= TAKEN && term AT(p, o) < it ->
    if
#ifdef NO_WAIT_FOR_WORD
    :: true -> ADD(n_settled[p], o); n_owner AT(p, o) = s
#else
    :: stage AT(p, o) == TAKEN -> ADD(n_settled[p], o); n_owner AT(p, o) = next AT(p, o)
    :: else -> skip
#endif
    fi;
    stage AT(p, o) = SETTLED; next AT(p, o) = s; term AT(p, o) = it
  :: else -> skip
  fi;
  send(p, s, MOVED_ACK, o, it, 0)
}

inline apply(p, s) {
  o = OBJECT(item);
  if
  :: KIND(item) == TRANSFER || KIND(item) == TRANSFER_RECORD -> apply_transfer(p, s)
  :: KIND(item) == TRANSFER_TAKEN ->
    if
    :: stage AT(p, o) == SENT && next AT(p, o) == s && term AT(p, o) == it -> stage AT(p, o) = TAKEN
    :: else -> skip
    fi
  :: KIND(item) == TRANSFER_REFUSED ->
    if
    :: stage AT(p, o) == SENT && next AT(p, o) == s && term AT(p, o) == it -> take_back(p, o, false)
    :: else -> skip
    fi
  :: KIND(item) == MOVED -> apply_moved(p, s)
  :: KIND(item) == MOVED_ACK ->
    if
    :: record AT(p, o) != NONE && term AT(p, o) == it && HAS(telling AT(p, o), s) ->
      DEL(telling AT(p, o), s);
      settle_if_told(p, o)
    :: else -> skip
    fi
  :: KIND(item) == MOVED_SETTLED ->
    if
    :: stage AT(p, o) >= TAKEN && next AT(p, o) == s && term AT(p, o) == it ->
      stage AT(p, o) = SETTLED;
      ADD(n_settled[p], o); n_owner AT(p, o) = s
    :: else -> skip
    fi;
    send(p, s, SETTLED_ACK, o, it, 0)
  :: KIND(item) == SETTLED_ACK ->
    if
    :: record AT(p, o) != NONE && from AT(p, o) == s && term AT(p, o) == it ->
      tell_settled(p, o);
      from AT(p, o) = NOBODY;
      go_on_following(p, o)
    :: else -> skip
    fi
  :: KIND(item) == MOVED_ENDED ->
    if
    :: stage AT(p, o) >= TAKEN && (term AT(p, o) < it || (term AT(p, o) == it && next AT(p, o) == s)) ->
      forget_former(p, o)
    :: else -> skip
    fi
  fi
}

inline read_view(p) {
  ADD(fenced[p], x);
  do
  :: len(SESSION(x, p)) > 0 -> SESSION(x, p) ? item, it, value
  :: else -> break
  od;
  for (d : 0 .. OBJECTS - 1) {
    if
    :: (stage AT(p, d) == SENT || stage AT(p, d) == TAKEN) && next AT(p, d) == x -> take_back(p, d, true)
    :: else -> skip
    fi;
    if
    :: HAS(telling AT(p, d), x) -> DEL(telling AT(p, d), x); settle_if_told(p, d)
    :: else -> skip
    fi;
    if
    :: HAS(former AT(p, d), x) ->
      if :: from AT(p, d) == x && telling AT(p, d) == 0 -> tell_settled(p, d) :: else -> skip fi;
      go_on_following(p, d)
    :: else -> skip
    fi
  }
}

inline close_exclusions(p) {
  for (d : 0 .. OBJECTS - 1) {
    if :: stage AT(p, d) == SETTLED && HAS(gone_ids, next AT(p, d)) -> forget_former(p, d) :: else -> skip fi;
    awaited AT(p, d) = awaited AT(p, d) & ~gone_ids
  }
}

inline stop(p) {
  ADD(stopped, p);
  position[p] = 0; fenced[p] = 0;
  kept[p] = 0; away[p] = 0; made[p] = 0; in_scope[p] = 0; unsettled[p] = 0; settled[p] = 0; over[p] = 0;
  ended_lent[p] = 0; kept_lent[p] = 0; stays[p] = 0; marked[p] = 0; as_record[p] = 0;
  n_settled[p] = 0; n_back[p] = 0; n_refused[p] = 0; n_lent_ended[p] = 0;
  n_ended[p] = 0; n_kept[p] = 0; n_forget[p] = 0;
  for (d : 0 .. OBJECTS - 1) {
    record AT(p, d) = NONE; term AT(p, d) = 0; former AT(p, d) = 0; from AT(p, d) = NOBODY; telling AT(p, d) = 0;
    awaited AT(p, d) = 0; stage AT(p, d) = 0; next AT(p, d) = 0; follow AT(p, d) = NOBODY; lent_to AT(p, d) = NOBODY;
    n_owner AT(p, d) = 0; refused AT(p, d) = 0
  }
  for (d : 0 .. TASKS - 1) { TASK_TO(p, d) = NOBODY }
  for (k : 0 .. N - 1) {
    if
    :: k != p ->
      do
      :: len(SESSION(k, p)) > 0 -> SESSION(k, p) ? item, it, value
      :: else -> break
      od
    :: else -> skip
    fi
  }
}

inline read_membership(p) {
  printf("%d: reads event %d of the membership stream\n", p, position[p]);
  event = stream[position[p]];
  position[p]++;
  if
  :: event < BARRIER(0) ->
    x = excludes[event - VIEW(0)];
    if :: x == p -> stop(p) :: else -> read_view(p) fi
  :: else ->
    gone_ids = 0;
    for (k : 0 .. event - BARRIER(0)) { ADD(gone_ids, excludes[k]) }
    close_exclusions(p)
  fi
}

inline forget(p, ob) {
  DEL(n_forget[p], ob);
  if
  :: record AT(p, ob) == OUT -> DEL(marked[p], ob)
  :: record AT(p, ob) == RECORD -> erase(p, ob)
  :: else -> skip
  fi
}

/* One, in the order in which the runtime hands them over. */
inline handle_notice(p) {
  d = 0;
  do
  :: d < OBJECTS && !HAS(PUMP_NOTICES(p), d) -> d++
  :: else -> break
  od;
  if
  :: HAS(n_settled[p], d) -> DEL(n_settled[p], d); lent_settled(p, d, n_owner AT(p, d)); n_owner AT(p, d) = 0
  :: HAS(n_back[p], d) -> DEL(n_back[p], d); return_back(p, d, false, false)
  :: HAS(n_refused[p], d) -> DEL(n_refused[p], d); return_back(p, d, false, true)
  :: HAS(n_lent_ended[p], d) && !HAS(n_settled[p] | n_back[p] | n_refused[p], d) ->
    DEL(n_lent_ended[p], d);
    lent_ended(p, d)
  :: else ->
    d = 0;
    do
    :: d < OBJECTS && !HAS(NOTICES(p), d) -> d++
    :: else -> break
    od;
    if
    :: HAS(n_ended[p], d) -> DEL(n_ended[p], d); return_ended(p, d)
    :: HAS(n_kept[p], d) && !HAS(n_ended[p], d) -> DEL(n_kept[p], d); record_kept(p, d)
    :: else -> forget(p, d)
    fi
  fi
}

inline tell_item(p, s) {
  if
  :: what == REFUSE -> printf("%d: refuses %c of %d\n", p, LETTER(OBJECT(item)), s)
  :: what == REFUSE_LATE -> printf("%d: refuses %c of %d, having its task\n", p, LETTER(OBJECT(item)), s)
  :: what == DELIVER && KIND(item) == TRANSFER -> printf("%d: takes %c from %d\n", p, LETTER(OBJECT(item)), s)
  :: what == DELIVER && KIND(item) == TRANSFER_RECORD ->
    printf("%d: takes the record of %c from %d\n", p, LETTER(OBJECT(item)), s)
  :: KIND(item) == TRANSFER_TAKEN -> printf("%d: gets Taken(%c) from %d\n", p, LETTER(OBJECT(item)), s)
  :: KIND(item) == TRANSFER_REFUSED -> printf("%d: gets Refused(%c) from %d\n", p, LETTER(OBJECT(item)), s)
  :: KIND(item) == MOVED -> printf("%d: gets Moved(%c) from %d\n", p, LETTER(OBJECT(item)), s)
  :: KIND(item) == MOVED_ACK -> printf("%d: gets MovedAck(%c) from %d\n", p, LETTER(OBJECT(item)), s)
  :: KIND(item) == MOVED_SETTLED -> printf("%d: gets Settled(%c) from %d\n", p, LETTER(OBJECT(item)), s)
  :: KIND(item) == SETTLED_ACK -> printf("%d: gets SettledAck(%c) from %d\n", p, LETTER(OBJECT(item)), s)
  :: KIND(item) == MOVED_ENDED -> printf("%d: gets MovedEnded(%c) from %d\n", p, LETTER(OBJECT(item)), s)
  fi
}

inline receive(p, s) {
  SESSION(s, p) ? item, it, value;
  tell_item(p, s);
  CHECK(S7_nothing_from_an_excluded_id_is_applied, !HAS(fenced[p], s))
}

inline act(p) {
  if
  :: what == GIVE_X -> transfers++; give_away(p, X, arg, false)
  :: what == GIVE_Z -> transfers++; give_away(p, Z, arg, false)
  :: what == FOLLOWS -> step_following(p, arg)
  :: what == TOLD -> DEL(telling AT(p, arg), OTHERS); settle_if_told(p, arg)
  :: what == READ -> read_membership(p)
  :: what == CRASHES -> printf("%d: crashes\n", p); faults++; stop(p)
  :: what == ENDS ->
    printf("%d: nobody holds %c\n", p, LETTER(arg));
    record AT(p, arg) = OUT;
    ADD(n_ended[p], arg); ADD(ended, arg)
  :: what == GONE -> printf("%d: no copy of %c is left\n", p, LETTER(arg)); settle_erased(p, arg)
  :: what == REVIVE ->
    printf("%d: %c is made again\n", p, LETTER(arg));
    revivals++;
    record AT(p, arg) = SCOPE; ADD(in_scope[p], arg); DEL(n_ended[p], arg); DEL(ended, arg)
  :: what == NOTICE -> handle_notice(p)
  :: what == NOTICE_ENDED -> DEL(n_ended[p], arg); return_ended(p, arg)
  :: what == NOTICE_KEPT -> DEL(n_kept[p], arg); record_kept(p, arg)
  :: what == FORGET -> forget(p, arg)
  fi
}

/* ---- What is checked ---------------------------------------------------------------------------------------- */

#define OWNS(p, ob) (TRUSTED(p) && record AT(p, ob) != NONE)
#define MAY_MAKE(p, ob) (HAS(made[p], ob) && HAS(kept[p], MAKER(ob)))
/* r has what p's task needs for `ob`: it is p, or will pass it on, or takes it back. */
#define HAS_FOR(r, p, ob, need) (TRUSTED(r) && (r == p || HAS(former AT(p, ob), r)) && \
    (record AT(r, need) != NONE || stage AT(r, need) == SENT || stage AT(r, need) == TAKEN))
#if PROCESSES > 2
#define IS_HAD(p, ob, need) (HAS_FOR(0, p, ob, need) || HAS_FOR(1, p, ob, need) || HAS_FOR(2, p, ob, need))
#define PAIRS(pair) (pair(0, 1) || pair(0, 2) || pair(1, 2))
#else
#define IS_HAD(p, ob, need) (HAS_FOR(0, p, ob, need) || HAS_FOR(1, p, ob, need))
#define PAIRS(pair) pair(0, 1)
#endif
/* It was lost with an owner before, which had not sent it after. */
#define IS_LOST(p, ob, need) (HAS(former AT(p, ob) & (stopped | excluded), last[need]))
#define BOTH_OWN(p, z) (OWNS(p, d) && OWNS(z, d))
#define BOTH_MAKE(p, z) (TRUSTED(p) && TRUSTED(z) && MAY_MAKE(p, d) && MAY_MAKE(z, d))

inline check_world() {
  for (d : 0 .. OBJECTS - 1) {
    CHECK(S5_one_active_owner, !PAIRS(BOTH_OWN));
    CHECK(lineage_at_one_process, !PAIRS(BOTH_MAKE));
    for (k : 0 .. N - 1) {
      if
      :: TRUSTED(k) && record AT(k, d) == SCOPE && !HAS(ended, d) ->
        CHECK(lineage_at_the_owner, MAY_MAKE(k, d) || HAS(n_back[k] | n_refused[k], d));
        for (r : 0 .. OBJECTS - 1) {
          if
          :: HAS(ARGUMENTS(MAKER(d)), r) ->
            CHECK(lineage_needs_can_be_had,
                  (HAS(had[k], d) -> record AT(k, r) != NONE : (IS_HAD(k, d, r) || IS_LOST(k, d, r))));
            if :: record AT(k, r) != NONE -> ADD(had[k], d) :: else -> skip fi
          :: else -> skip
          fi
        }
      :: else -> DEL(had[k], d)
      fi
    }
  }
}

/* ---- The processes ------------------------------------------------------------------------------------------ */

#define MAY(guard, deed, argument) :: WORKING(p) && (guard) -> what = deed; arg = argument;
#if OBJECTS > 2
#define TELLS_FORMERS(p) (((telling AT(p, X) | telling AT(p, Y) | telling AT(p, Z)) & EVERYONE) != 0)
#else
#define TELLS_FORMERS(p) (((telling AT(p, X) | telling AT(p, Y)) & EVERYONE) != 0)
#endif
#define PUMPS(p) (PUMP_NOTICES(p) == 0)
#define WAITS(s, p) (s != p && len(SESSION(s, p)) > 0 && PUMPS(p))
#define OFFERS(s, p) (WAITS(s, p) && (SESSION(s, p) ? [eval(ITEM(TRANSFER, X)), _, _] || \
    SESSION(s, p) ? [eval(ITEM(TRANSFER, Z)), _, _] || SESSION(s, p) ? [eval(ITEM(TRANSFER_RECORD, X)), _, _] || \
    SESSION(s, p) ? [eval(ITEM(TRANSFER_RECORD, Y)), _, _]))
#define MAY_GIVE(p, ob, z) (z != p && transfers < TRANSFERS && PUMPS(p) && HAS(MOVABLE & ~ended, ob) && \
    record AT(p, ob) == SCOPE && IS_SETTLED(p, ob) && !HAS(fenced[p], z) && HAS(made[p] & in_scope[p], ob))
#define MAY_END(p, ob) (record AT(p, ob) == SCOPE && telling AT(p, ob) == 0 && awaited AT(p, ob) == 0)
#ifdef KEPT
#define ENDINGS(p, ob) MAY(MAY_END(p, ob) && ob != KEEPER, ENDS, ob) MAY(record AT(p, ob) == OUT, GONE, ob)
#else
#define ENDINGS(p, ob) MAY(MAY_END(p, ob), ENDS, ob) MAY(record AT(p, ob) == OUT, GONE, ob)
#endif
/* Some task that is of use needs it, and it may be made again itself. */
#define MAY_REVIVE(p, ob) (revivals < REVIVALS && record AT(p, ob) >= OUT && MAY_MAKE(p, ob) && HAS(marked[p], ob) && \
    ((HAS(kept[p], X) && NEEDED(p, X) && HAS(ARGUMENTS(X), ob)) || \
     (TASKS > 2 && HAS(kept[p], Z) && NEEDED(p, Z) && HAS(ARGUMENTS(Z), ob))))
#ifdef LATE
#define LATE_NOTICES(p, ob) \
    MAY(HAS(n_ended[p], ob), NOTICE_ENDED, ob) \
    MAY(HAS(n_kept[p], ob), NOTICE_KEPT, ob) \
    MAY(HAS(n_forget[p], ob), FORGET, ob)
#else
#define LATE_NOTICES(p, ob)
#endif
#define TURNS_OF(p, ob) \
    ENDINGS(p, ob) \
    MAY(PUMPS(p) && HAS(telling AT(p, ob), OTHERS), TOLD, ob) \
    MAY(PUMPS(p) && follow AT(p, ob) != NOBODY, FOLLOWS, ob) \
    MAY(MAY_REVIVE(p, ob), REVIVE, ob) \
    LATE_NOTICES(p, ob)

proctype Process(byte p) {
end:
  do
  :: atomic {
    if
    MAY(WAITS(0, p), DELIVER, 0)
    MAY(WAITS(1, p), DELIVER, 1)
#if PROCESSES > 2
    MAY(WAITS(2, p), DELIVER, 2)
#endif
    MAY(OFFERS(0, p), REFUSE, 0)
    MAY(OFFERS(1, p), REFUSE, 1)
    MAY(OFFERS(0, p), REFUSE_LATE, 0)
    MAY(OFFERS(1, p), REFUSE_LATE, 1)
#if PROCESSES > 2
    MAY(OFFERS(2, p), REFUSE, 2)
    MAY(OFFERS(2, p), REFUSE_LATE, 2)
#endif
    MAY(MAY_GIVE(p, X, 0), GIVE_X, 0)
    MAY(MAY_GIVE(p, X, 1), GIVE_X, 1)
#if PROCESSES > 2
    MAY(MAY_GIVE(p, X, 2), GIVE_X, 2)
#endif
#if OBJECTS > 2
    MAY(MAY_GIVE(p, Z, 0), GIVE_Z, 0)
    MAY(MAY_GIVE(p, Z, 1), GIVE_Z, 1)
#if PROCESSES > 2
    MAY(MAY_GIVE(p, Z, 2), GIVE_Z, 2)
#endif
#endif
    TURNS_OF(p, X)
    TURNS_OF(p, Y)
#if OBJECTS > 2
    TURNS_OF(p, Z)
#endif
#ifdef LATE
    MAY(!PUMPS(p), NOTICE, 0)
#endif
#if EXCLUSIONS > 0
    MAY(PUMPS(p) && position[p] < streamed, READ, 0)
    MAY(faults < EXCLUSIONS && !HAS(excluded, p), CRASHES, 0)
#endif
    fi;
    if                                  /* nothing comes between: one step of all would be longer than SPIN takes */
    :: what <= REFUSE_LATE -> d_step { receive(p, arg); apply(p, arg); skip }
    :: else -> d_step { act(p); skip }
    fi;
    d_step { look(p); skip };
#ifndef LATE
    do
    :: NOTICES(p) != 0 -> d_step { handle_notice(p); look(p); skip }
    :: else -> break
    od;
#endif
    d_step {
      if
      :: WORKING(p) && views > 0 && HAS(fenced[p], excludes[views - 1]) && !TELLS_FORMERS(p) -> ADD(reported, p)
      :: else -> skip
      fi;
      check_world();
      item = 0; it = 0; value = 0; what = 0; arg = 0
    }
  }
  od
}

/* ---- Membership --------------------------------------------------------------------------------------------- */

inline exclude(p) {
  printf("membership: view %d excludes %d\n", views + 1, p);
  reported = 0;
  excludes[views] = p;
  stream[streamed] = VIEW(views);
  streamed++;
  views++;
  ADD(excluded, p)
}

inline announce_barrier() {
  printf("membership: barrier(%d)\n", views);
  stream[streamed] = BARRIER(views - 1);
  streamed++;
  closed = excluded
}

#ifdef SUSPICION
#define EXCLUSION(p) :: d_step { !HAS(excluded, p) && (HAS(stopped, p) || faults < EXCLUSIONS) -> \
    if :: HAS(stopped, p) -> skip :: else -> faults++ fi; exclude(p) }
#else
#define EXCLUSION(p) :: d_step { !HAS(excluded, p) && HAS(stopped, p) -> exclude(p) }
#endif

proctype World() {
end:
  do
#if EXCLUSIONS > 0
  EXCLUSION(0)
  EXCLUSION(1)
#if PROCESSES > 2
  EXCLUSION(2)
#endif
  :: d_step { closed != excluded && ((reported | excluded) == EVERYONE) -> announce_barrier() }
#else
  :: false -> skip
#endif
  od
}

/* ---- The end: when nothing can happen any more, nothing may be left ------------------------------------------ */

/* What p's task needs is elsewhere, and p is not to have it. */
#define STAYS_ELSEWHERE(p, ob, need) (HAS(stopped | excluded, last[need]) || \
    HAS(stays[last[need]], need) || OBJECT_TO(last[need], need) == MANY)
#define MISSES(p, ob, need) (HAS(OF_USE(p) & made[p], ob) && HAS(ARGUMENTS(MAKER(ob)), need) && \
    record AT(p, need) == NONE && !STAYS_ELSEWHERE(p, ob, need))

proctype End() {
  timeout ->
  d_step {
    CHECK(end_every_barrier_closed, (stopped & ~excluded) == 0 && closed == excluded);
    for (k : 0 .. N - 1) {
      if
      :: WORKING(k) ->
#ifdef KEPT
        for (d : 0 .. OBJECTS - 1) { CHECK(end_record_is_where_its_task_is, !MISSES(k, d, X) && !MISSES(k, d, Y)) }
#else
        CHECK(end_every_task_let_go_of, kept[k] == 0 && made[k] == 0 && LENT_BY(k) == 0 && NOTICES(k) == 0);
        for (d : 0 .. OBJECTS - 1) {
          CHECK(end_every_record_removed, record AT(k, d) == NONE);
          CHECK(end_every_transfer_ended, stage AT(k, d) == 0)
        }
#endif
      :: else -> skip
      fi
    }
  }
}

init {
  d_step {
    for (k : 0 .. N - 1) {
      for (d : 0 .. OBJECTS - 1) {
        from AT(k, d) = NOBODY; follow AT(k, d) = NOBODY; lent_to AT(k, d) = NOBODY
      }
      for (d : 0 .. TASKS - 1) { TASK_TO(k, d) = NOBODY }
    }
    for (d : 0 .. OBJECTS - 1) { record AT(O, d) = SCOPE; term AT(O, d) = 1; last[d] = O }
    kept[O] = (1 << TASKS) - 1; made[O] = ALL_OBJECTS; in_scope[O] = ALL_OBJECTS; marked[O] = ALL_OBJECTS
  }
  atomic {
    run Process(0);
    run Process(1);
#if PROCESSES > 2
    run Process(2);
#endif
    run World();
    run End()
  }
}
