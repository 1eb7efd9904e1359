# `gleaner reconcile` as a Fargate task, started by EventBridge Scheduler. Passes that overlap do no harm: the archive's creates are conditional.
# A task that fails is not started again; the next one on the schedule does what it left.

locals {
  reconcile = var.reconcile == null ? {} : { this = var.reconcile }
}

data "aws_iam_policy_document" "ecs_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

# Pulls the image and writes the log.
resource "aws_iam_role" "execution" {
  for_each           = local.reconcile
  name               = "${var.name}-reconcile-execution"
  assume_role_policy = data.aws_iam_policy_document.ecs_trust.json
}

resource "aws_iam_role_policy_attachment" "execution" {
  for_each   = local.reconcile
  role       = aws_iam_role.execution[each.key].name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

# What the program may do: a writer's rights, and to mount the filesystem for reading.
resource "aws_iam_role" "task" {
  for_each           = local.reconcile
  name               = "${var.name}-reconcile"
  assume_role_policy = data.aws_iam_policy_document.ecs_trust.json
}

resource "aws_iam_role_policy" "task_archive" {
  for_each = local.reconcile
  name     = "archive"
  role     = aws_iam_role.task[each.key].name
  policy   = data.aws_iam_policy_document.rights["writer"].json
}

data "aws_iam_policy_document" "mount" {
  for_each = local.reconcile

  # Neither ClientWrite nor ClientRootAccess.
  statement {
    actions   = ["elasticfilesystem:ClientMount"]
    resources = ["arn:aws:elasticfilesystem:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}:file-system/${each.value.file_system_id}"]
  }
}

resource "aws_iam_role_policy" "task_mount" {
  for_each = local.reconcile
  name     = "mount"
  role     = aws_iam_role.task[each.key].name
  policy   = data.aws_iam_policy_document.mount[each.key].json
}

resource "aws_cloudwatch_log_group" "reconcile" {
  for_each          = local.reconcile
  name              = "/${var.name}/reconcile"
  retention_in_days = 30
}

resource "aws_ecs_cluster" "reconcile" {
  for_each = local.reconcile
  name     = "${var.name}-reconcile"
}

resource "aws_ecs_task_definition" "reconcile" {
  for_each                 = local.reconcile
  family                   = "${var.name}-reconcile"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 512
  memory                   = 1024
  execution_role_arn       = aws_iam_role.execution[each.key].arn
  task_role_arn            = aws_iam_role.task[each.key].arn

  dynamic "volume" {
    for_each = { logs = each.value.logs_directory, config = each.value.config_directory }

    content {
      name = volume.key

      efs_volume_configuration {
        file_system_id     = each.value.file_system_id
        root_directory     = volume.value
        transit_encryption = "ENABLED"

        authorization_config {
          iam = "ENABLED"
        }
      }
    }
  }

  container_definitions = jsonencode([{
    name                   = "gleaner"
    image                  = each.value.image
    command                = ["reconcile"]
    user                   = each.value.user
    essential              = true
    readonlyRootFilesystem = true
    stopTimeout            = 20
    environment = [
      { name = "GLEANER_CONFIG", value = "/etc/gleaner/gleaner.yaml" },
      { name = "GLEANER_NODE", value = "${var.name}-reconcile" },
      { name = "AWS_REGION", value = data.aws_region.current.name },
    ]
    mountPoints = [
      { sourceVolume = "logs", containerPath = "/logs", readOnly = true },
      { sourceVolume = "config", containerPath = "/etc/gleaner", readOnly = true },
    ]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.reconcile[each.key].name
        awslogs-region        = data.aws_region.current.name
        awslogs-stream-prefix = "pass"
      }
    }
  }])
}

data "aws_iam_policy_document" "scheduler_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

data "aws_iam_policy_document" "scheduler" {
  for_each = local.reconcile

  statement {
    actions   = ["ecs:RunTask"]
    resources = ["${aws_ecs_task_definition.reconcile[each.key].arn_without_revision}:*"]
  }

  statement {
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.execution[each.key].arn, aws_iam_role.task[each.key].arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "scheduler" {
  for_each           = local.reconcile
  name               = "${var.name}-reconcile-scheduler"
  assume_role_policy = data.aws_iam_policy_document.scheduler_trust.json
}

resource "aws_iam_role_policy" "scheduler" {
  for_each = local.reconcile
  name     = "run"
  role     = aws_iam_role.scheduler[each.key].name
  policy   = data.aws_iam_policy_document.scheduler[each.key].json
}

resource "aws_scheduler_schedule" "reconcile" {
  for_each            = local.reconcile
  name                = "${var.name}-reconcile"
  schedule_expression = each.value.schedule

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_ecs_cluster.reconcile[each.key].arn
    role_arn = aws_iam_role.scheduler[each.key].arn

    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.reconcile[each.key].arn
      launch_type         = "FARGATE"

      network_configuration {
        subnets         = each.value.subnet_ids
        security_groups = each.value.security_group_ids
      }
    }

    retry_policy {
      maximum_retry_attempts = 0
    }
  }
}
